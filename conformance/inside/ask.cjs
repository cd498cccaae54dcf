// Statuses of the addresses given, by Node's own modules.
const ask = (url) =>
  new Promise((resolve, reject) => {
    const { get } = require(url.startsWith("https:") ? "node:https" : "node:http");
    get(url, (answer) => {
      answer.resume();
      resolve(answer.statusCode);
    }).on("error", reject);
  });

Promise.all(process.argv.slice(2).map(ask)).then(
  (statuses) => console.log(statuses.join(" ")),
  (error) => {
    console.error(error);
    process.exitCode = 1;
  },
);
