#!/bin/sh
# Tools that keep things in Blob storage, as the machine, with nothing but its identity: rclone, and Terraform's state where
# Terraform is installed. Run by `countersign run --cloud azure`: neither can be told another suffix.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
step() { printf '\n== %s\n' "$*"; }
fail() { echo "FAILED: $*" >&2; exit 1; }
expect() { [ "$2" = "$3" ] || fail "$1: found '$2' instead of '$3'"; echo "$1: $2"; }
python3 "$here/../prepare.py" --shell >prepared.sh
. ./prepared.sh

step "rclone: a folder there and back"
cloud() { rclone --config /dev/null --retries 1 --azureblob-use-msi --azureblob-account "$ACCOUNT_NAME" "$@"; }
mkdir -p from/sub
for number in 1 2 3 4 5; do printf '%s' "content $number" >"from/sub/f $number ü.txt"; done
head -c 20000000 /dev/urandom >from/big
: >from/empty
cloud mkdir :azureblob:rclone
cloud copy from :azureblob:rclone/folder
cloud check --download from :azureblob:rclone/folder
cloud copy :azureblob:rclone/folder back
diff -r from back
rm "from/sub/f 3 ü.txt"
cloud sync from :azureblob:rclone/folder
expect "files after the sync" "$(cloud lsf -R --files-only :azureblob:rclone/folder | wc -l | tr -d ' ')" 6

step "rclone: streams, copies, moves, tiers, an end"
echo hello | cloud rcat :azureblob:rclone/stream
cloud moveto :azureblob:rclone/stream :azureblob:rclone/moved
expect "moved" "$(cloud cat :azureblob:rclone/moved)" hello
cloud copyto :azureblob:rclone/folder/big :azureblob:rclone/twin
cloud settier Cool :azureblob:rclone/moved
expect "tiers" "$(cloud lsf --files-only --format pT :azureblob:rclone | tr '\n' ' ')" "moved;Cool twin;Hot "
cloud purge :azureblob:rclone
if cloud lsf :azureblob:rclone >/dev/null 2>&1; then fail "it is still there"; fi

if ! command -v terraform >/dev/null; then
    printf '\ntools: rclone as it should be; Terraform is not installed here and was not played\n'
    exit 0
fi
step "Terraform: its state in a container, locked by a lease"
export TF_CLI_CONFIG_FILE=/dev/null TF_INPUT=0 ARM_SUBSCRIPTION_ID="$SUBSCRIPTION_ID" ARM_TENANT_ID="$TENANT_ID"
mkdir plan
cd plan
cat >main.tf <<END
terraform {
  backend "azurerm" {
    resource_group_name  = "$GROUP"
    storage_account_name = "$ACCOUNT_NAME"
    container_name       = "shared"
    key                  = "terraform.tfstate"
    use_msi              = true
    use_azuread_auth     = true
  }
}
variable "word" {}
resource "terraform_data" "one" {
  input = var.word
  provisioner "local-exec" { command = "sh ./while.sh" }
}
output "word" { value = terraform_data.one.output }
END
echo 'true' >while.sh
terraform init -no-color
terraform apply -no-color -auto-approve -var word=first
expect "the state" "$(terraform output -raw word)" first
# While one applies, it holds the lease; the other is told who does.
cat >while.sh <<'END'
if terraform plan -no-color -lock-timeout=0s -var word=other >other.txt 2>&1; then echo "not locked" >held.txt; else echo locked >held.txt; fi
END
terraform apply -no-color -auto-approve -var word=second -replace terraform_data.one
expect "meanwhile" "$(cat held.txt)" locked
grep -q "Error acquiring the state lock" other.txt || fail "$(cat other.txt)"
terraform destroy -no-color -auto-approve -var word=second
printf '\ntools: all as it should be\n'
