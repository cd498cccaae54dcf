"""Azure Resource Manager through its management SDKs."""
from azure.core.exceptions import HttpResponseError, ResourceNotFoundError
from azure.identity import ClientSecretCredential, ManagedIdentityCredential
from azure.mgmt.hybridcompute import HybridComputeManagementClient
from azure.mgmt.resource.resources import ResourceManagementClient
from harness import SITE, case, main, refused

ARM = SITE["resource_manager"]
OPERATOR = ClientSecretCredential(SITE["tenant_id"], SITE["operator_client_id"], SITE["operator_client_secret"],
                                  authority=SITE["authority"], disable_instance_discovery=True)
MACHINE = ManagedIdentityCredential()
# `base_url` alone: the client then asks for a token for the public cloud's audience, which we accept.
MACHINES = HybridComputeManagementClient(OPERATOR, SITE["subscription_id"], base_url=ARM)
RESOURCES = ResourceManagementClient(OPERATOR, SITE["subscription_id"], base_url=ARM,
                                     credential_scopes=[f"{ARM}/.default"])


def group_of(resource_id):
    return resource_id.split("/")[4]


@case
def the_machine_is_shown_with_its_identity():
    machine = MACHINES.machines.get(group_of(SITE["machine_resource_id"]), SITE["machine_name"])
    assert machine.identity.principal_id == SITE["machine_principal_id"]
    assert machine.identity.type == "SystemAssigned, UserAssigned", "prepare.py attached one"
    assert machine.tags["scenario"] == "conformance"


@case
def the_machine_is_in_both_lists():
    by_subscription = [machine.name for machine in MACHINES.machines.list_by_subscription()]
    by_group = [machine.name for machine in
                MACHINES.machines.list_by_resource_group(group_of(SITE["machine_resource_id"]))]
    assert SITE["machine_name"] in by_subscription and SITE["machine_name"] in by_group


@case
def an_unknown_machine_is_not_found():
    group = group_of(SITE["machine_resource_id"])
    error = refused(ResourceNotFoundError, 404, lambda: MACHINES.machines.get(group, "never-there"))
    assert error.error.code == "ResourceNotFound", error.error.code


@case
def groups_come_and_show_their_tags():
    made = RESOURCES.resource_groups.create_or_update("Made-By-Sdk", {"location": "local", "tags": {"a": "b"}})
    assert made.tags == {"a": "b"}
    assert RESOURCES.resource_groups.get("made-by-SDK").id.lower() == made.id.lower()
    assert "made-by-sdk" in [group.name.lower() for group in RESOURCES.resource_groups.list()]
    assert RESOURCES.resource_groups.check_existence("made-by-sdk")
    assert not RESOURCES.resource_groups.check_existence("never-there")


@case
def tag_names_are_listed():
    assert "scenario" in [tag.tag_name for tag in RESOURCES.tags.list()]


@case
def a_reader_reads_and_does_not_write():
    reader = ResourceManagementClient(MACHINE, SITE["subscription_id"], base_url=ARM)
    assert reader.resource_groups.get(SITE["group"]).name == SITE["group"]
    error = refused(HttpResponseError, 403, lambda: reader.resource_groups.create_or_update(
        "made-by-machine", {"location": "local"}))
    assert error.error.code == "AuthorizationFailed", error.error.code


main()
