"""Key Vault secrets with the SDK's default settings, so that it verifies our challenge."""
from azure.core.exceptions import HttpResponseError, ResourceNotFoundError
from azure.identity import ClientSecretCredential, ManagedIdentityCredential
from azure.keyvault.secrets import SecretClient
from harness import SITE, case, main, refused

OPERATOR = ClientSecretCredential(SITE["tenant_id"], SITE["operator_client_id"], SITE["operator_client_secret"],
                                  authority=SITE["authority"], disable_instance_discovery=True)
VAULT = SecretClient(SITE["vault"], OPERATOR)
MACHINE = ManagedIdentityCredential()


@case
def set_and_get_keep_every_byte():
    value = "zwölf Boxkämpfer \N{HAMSTER FACE} \"quoted\" \\ \n second line"
    made = VAULT.set_secret("text", value, content_type="text/plain", tags={"owner": "tests"})
    found = VAULT.get_secret("text")
    assert found.value == value
    assert found.id == made.id and found.properties.version == made.properties.version
    assert found.properties.content_type == "text/plain" and found.properties.tags == {"owner": "tests"}
    assert found.properties.enabled and found.properties.created_on and found.properties.updated_on
    assert found.properties.vault_url == SITE["vault"]


@case
def an_old_version_stays_readable():
    first = VAULT.set_secret("versioned", "one")
    second = VAULT.set_secret("versioned", "two")
    assert VAULT.get_secret("versioned").value == "two"
    assert VAULT.get_secret("versioned", first.properties.version).value == "one"
    versions = {item.version for item in VAULT.list_properties_of_secret_versions("versioned")}
    assert versions == {first.properties.version, second.properties.version}


@case
def lists_go_on_over_pages_and_show_no_values():
    wanted = {f"page-{number:02}" for number in range(30)}
    for name in wanted:
        VAULT.set_secret(name, "x")
    found = [item.name for item in VAULT.list_properties_of_secrets(max_page_size=7)]
    assert wanted <= set(found) and len(found) == len(set(found))


@case
def a_deleted_secret_is_gone_and_says_what_it_was():
    VAULT.set_secret("doomed", "x")
    deleted = VAULT.begin_delete_secret("doomed").result()
    assert deleted.name == "doomed" and deleted.deleted_date and deleted.scheduled_purge_date
    error = refused(ResourceNotFoundError, 404, lambda: VAULT.get_secret("doomed"))
    assert "SecretNotFound" in str(error), error


@case
def what_never_was_is_not_found():
    error = refused(ResourceNotFoundError, 404, lambda: VAULT.get_secret("never-there"))
    assert "SecretNotFound" in str(error), error


@case
def the_machine_may_read_but_not_write():
    vault = SecretClient(SITE["vault"], MACHINE)
    assert vault.get_secret("scenario").value == "the cake is in the kitchen"
    assert "scenario" in [item.name for item in vault.list_properties_of_secrets()]
    refused(HttpResponseError, 403, lambda: vault.set_secret("from-machine", "x"))
    refused(HttpResponseError, 403, lambda: vault.begin_delete_secret("scenario"))


@case
def without_a_role_the_vault_stays_closed():
    vault = SecretClient(SITE["closed_vault"], MACHINE)
    error = refused(HttpResponseError, 403, lambda: vault.get_secret("hidden"))
    assert "nobody reads this" not in str(error)
    # What is there and what is not look the same to someone who may see neither.
    refused(HttpResponseError, 403, lambda: vault.get_secret("never-there"))


main()
