// How patient clients for Node.js are; see patience.py for what is asked and printed.
//     patience.cjs again|nothing|away @azure/identity|@azure/msal-node      one a process: they share what they keep
const fs = require("node:fs");
const { DefaultAzureCredential, ManagedIdentityCredential } = require("@azure/identity");
const { ManagedIdentityApplication } = require("@azure/msal-node");

const SCOPE = "https://vault.azure.net/.default";
const { HOURS, COUNT, CLOCK } = process.env;
const count = () => Number(fs.readFileSync(COUNT, "utf8"));

async function again(client, ask) {
  const found = [];
  for (const hour of HOURS.split(" ")) {
    fs.writeFileSync(CLOCK, `+${hour}h`);
    const before = count();
    await ask();
    found.push(count() - before);
  }
  console.log([client, "again", found.join(" ")].join("\t"));
}

async function nothing(client, ask) {
  const took = [];
  while (took.length === 0 || (took.at(-1) >= 1 && (took.length < 2 || (took.length < 3 && took.at(-1) < 2)))) {
    const began = process.hrtime.bigint();
    if (await ask().then(() => true, () => false)) {
      throw new Error("a token, where nothing listens");
    }
    took.push(Number(process.hrtime.bigint() - began) / 1e9);
  }
  console.log([client, what, Math.min(...took).toFixed(2)].join("\t"));
}

const CLIENTS = {
  "@azure/identity": {
    make: () => new ManagedIdentityCredential(),
    chain: () => new DefaultAzureCredential(),
    ask: (credential) => credential.getToken(SCOPE),
  },
  "@azure/msal-node": {
    make: () => new ManagedIdentityApplication(),
    chain: () => new ManagedIdentityApplication(),
    ask: (application) => application.acquireToken({ resource: "https://vault.azure.net" }),
  },
};

const [what, name] = process.argv.slice(2);
const { make, chain, ask } = CLIENTS[name];
if (what === "again") {
  const kept = make();
  again(`Node.js: ${name}`, () => ask(kept));
} else {
  nothing(`Node.js: ${name}`, () => ask(chain()));
}
