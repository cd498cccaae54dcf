"""Which source gives which identity to az CLI; see ask.py for what is asked and answered.

    ask_az.py SOURCE AZ HOME       the program, and a configuration folder that knows the cloud
"""
import base64
import json
import os
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor

SOURCE, AZ, HOME = sys.argv[1:4]
OWN, IDENTITY = os.environ["EXPECT_OWN"], os.environ["EXPECT_IDENTITY"]
with open(os.environ["COUNTERSIGN_PREPARED"], encoding="utf-8") as _file:
    SITE = json.load(_file)
IDS = [[], ["--client-id", SITE["identity_client_id"]], ["--object-id", SITE["identity_object_id"]],
       ["--resource-id", SITE["identity_resource_id"]]]


def sign_in():
    """az reads no token file by itself: this is the documented way to hand it one."""
    if SOURCE != "workload":
        return ["--identity"]
    with open(os.environ["AZURE_FEDERATED_TOKEN_FILE"], encoding="utf-8") as file:
        return ["--service-principal", "--username", os.environ["AZURE_CLIENT_ID"], "--tenant",
                os.environ["AZURE_TENANT_ID"], "--federated-token", file.read()]


def cell(selector):
    # Every sign-in is of a person of its own; whether that identity may see a subscription is no matter here.
    with tempfile.TemporaryDirectory() as work:
        home = shutil.copytree(HOME, os.path.join(work, "home"))
        environment = os.environ | {"AZURE_CONFIG_DIR": home}
        if SOURCE == "cloud-shell":
            # By these it knows where it is; an agent off the cloud has no reason to set them.
            environment |= {"ACC_CLOUD": "PROD", "AZUREPS_HOST_ENVIRONMENT": "cloud-shell/1.0"}

        def az(*words):
            ran = subprocess.run([AZ, *words], env=environment, capture_output=True, text=True, check=False)
            if ran.returncode:
                raise RuntimeError(" ".join(ran.stderr.split())[:300])
            return ran.stdout.strip()

        try:
            az("login", *sign_in(), *selector, "--allow-no-subscriptions")
            token = az("account", "get-access-token", "--resource", "https://vault.azure.net", "--query", "accessToken",
                       "--output", "tsv")
        except RuntimeError as error:
            print(f"{SOURCE}: az {selector}: {error}", file=sys.stderr)
            return "no"
    part = token.split(".")[1]
    owner = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))["oid"]
    expected = IDENTITY if selector else OWN
    if owner != expected:
        sys.exit(f"{SOURCE}: az {selector}: a token of {owner} instead of {expected}")
    return "yes"


def main():
    # In Cloud Shell it signs in as who is there, whatever id is named.
    ways = IDS[:1] if SOURCE in ("workload", "cloud-shell") else IDS
    with ThreadPoolExecutor(max_workers=2) as pool:
        cells = list(pool.map(cell, ways))
    cells += ["-"] * (len(IDS) - len(cells))
    print("\t".join(["az CLI", SOURCE, *cells, "-", "-"]))


main()
