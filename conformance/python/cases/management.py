"""Every kind of resource through its own management SDK: made, listed, shown, changed and deleted."""
import uuid

from azure.core.exceptions import HttpResponseError, ResourceNotFoundError
from azure.identity import ClientSecretCredential
from azure.mgmt.authorization import AuthorizationManagementClient
from azure.mgmt.hybridcompute import HybridComputeManagementClient
from azure.mgmt.keyvault import KeyVaultManagementClient
from azure.mgmt.msi import ManagedServiceIdentityClient
from azure.mgmt.resource.locks import ManagementLockClient
from azure.mgmt.resource.resources import ResourceManagementClient
from azure.mgmt.resource.subscriptions import SubscriptionClient
from azure.mgmt.resourcegraph import ResourceGraphClient
from azure.mgmt.storage import StorageManagementClient
from harness import SITE, case, main, refused

SUB, GROUP, PLACE = SITE["subscription_id"], "managed-by-python", "local"
SCOPE = f"/subscriptions/{SUB}"
GROUP_ID = f"{SCOPE}/resourceGroups/{GROUP}"
OPERATOR = ClientSecretCredential(SITE["tenant_id"], SITE["operator_client_id"], SITE["operator_client_secret"],
                                  authority=SITE["authority"], disable_instance_discovery=True)


def client(kind, *about):
    # The public cloud's audience, as by default; only the address is ours.
    return kind(OPERATOR, *about, base_url=SITE["resource_manager"], polling_interval=0)


RESOURCES, ROLES = client(ResourceManagementClient, SUB), client(AuthorizationManagementClient, SUB)
IDENTITIES, MACHINES = client(ManagedServiceIdentityClient, SUB), client(HybridComputeManagementClient, SUB)
VAULTS, ACCOUNTS = client(KeyVaultManagementClient, SUB), client(StorageManagementClient, SUB)
LOCKS, SUBSCRIPTIONS = client(ManagementLockClient, SUB), client(SubscriptionClient)
RESOURCES.resource_groups.create_or_update(GROUP, {"location": PLACE, "tags": {"made": "by python"}})


def names(pages):
    return sorted(one.name for one in pages)


@case
def subscriptions():
    of = SUBSCRIPTIONS.subscriptions
    assert [s.subscription_id for s in of.list()] == [SUB] and of.get(SUB).state == "Enabled"
    assert PLACE in names(of.list_locations(SUB))
    assert [t.tenant_id for t in SUBSCRIPTIONS.tenants.list()] == [SITE["tenant_id"]]
    rows = client(ResourceGraphClient).resources({"subscriptions": [SUB], "query": "Resources | where type =~ 'microsoft.hybridcompute/machines'"})
    assert SITE["machine_name"] in [row["name"] for row in rows.data] and rows.result_truncated == "false"


@case
def groups():
    patched = RESOURCES.resource_groups.update(GROUP, {"tags": {"made": "again"}})
    assert patched.tags == {"made": "again"} and patched.properties.provisioning_state == "Succeeded"
    assert names(RESOURCES.resource_groups.list(filter="tagName eq 'made' and tagValue eq 'again'")) == [GROUP]
    assert RESOURCES.resource_groups.check_existence(GROUP)
    RESOURCES.resource_groups.create_or_update("gone-by-python", {"location": PLACE})
    RESOURCES.resource_groups.begin_delete("gone-by-python").result()
    assert not RESOURCES.resource_groups.check_existence("gone-by-python")


@case
def identities():
    of = IDENTITIES.user_assigned_identities
    made = of.create_or_update(GROUP, "pyid", {"location": PLACE, "tags": {"a": "b"}})
    assert uuid.UUID(made.principal_id) != uuid.UUID(made.client_id) and made.tenant_id == SITE["tenant_id"]
    again = of.create_or_update(GROUP, "pyid", {"location": PLACE, "tags": {"a": "c"}})
    assert (again.principal_id, again.client_id, again.tags) == (made.principal_id, made.client_id, {"a": "c"})
    assert of.update(GROUP, "PYID", {"tags": {"x": "y"}}).tags == {"x": "y"}
    assert of.get(GROUP, "pyid").type.lower() == "microsoft.managedidentity/userassignedidentities"
    assert names(of.list_by_resource_group(GROUP)) == ["pyid"] and "pyid" in names(of.list_by_subscription())
    trusts = IDENTITIES.federated_identity_credentials
    trust = {"issuer": "https://issuer.example", "subject": "s1", "audiences": ["api://AzureADTokenExchange"]}
    for n in range(3):
        trusts.create_or_update(GROUP, "pyid", f"trust{n}", {**trust, "subject": f"s{n}"})
    assert trusts.get(GROUP, "pyid", "trust1").subject == "s1"
    assert names(trusts.list(GROUP, "pyid", top=2)) == ["trust0", "trust1", "trust2"], "pages are followed"
    trusts.delete(GROUP, "pyid", "trust1")
    refused(ResourceNotFoundError, 404, lambda: trusts.get(GROUP, "pyid", "trust1"))
    machine = IDENTITIES.system_assigned_identities.get_by_scope(SITE["machine_resource_id"].lstrip("/"))
    assert machine.principal_id == SITE["machine_principal_id"], "the identity of a machine"
    of.delete(GROUP, "pyid")
    refused(ResourceNotFoundError, 404, lambda: of.get(GROUP, "pyid"))


@case
def machines():
    of = MACHINES.machines
    assert SITE["machine_name"] in names(of.list_by_subscription())
    rows = RESOURCES.resources
    made = rows.begin_create_or_update(GROUP, "Microsoft.HybridCompute", "", "machines", "pymachine", {
        "location": PLACE, "identity": {"type": "SystemAssigned"}, "properties": {"osType": "linux"}},
        api_version="2024-07-10").result()
    assert made.name == "pymachine"
    changed = of.update(GROUP, "pymachine", {"tags": {"role": "test"}, "properties": {"locationData": {"name": "rack 7", "city": "Wien"}}})
    assert changed.tags == {"role": "test"} and changed.properties.location_data.city == "Wien"
    shown = of.get(GROUP, "PyMachine")
    assert (shown.properties.provisioning_state, shown.properties.os_type) == ("Succeeded", "linux")
    assert names(of.list_by_resource_group(GROUP)) == ["pymachine"]
    extensions = MACHINES.machine_extensions
    extensions.begin_create_or_update(GROUP, "pymachine", "script", {"location": PLACE, "properties": {
        "publisher": "Microsoft.Azure.Extensions", "type": "CustomScript", "settings": {"commandToExecute": "true"},
        "protectedSettings": {"secret": "x"}, "autoUpgradeMinorVersion": True}}).result()
    one = extensions.get(GROUP, "pymachine", "script")
    assert one.properties.settings == {"commandToExecute": "true"} and not one.properties.protected_settings
    assert names(extensions.list(GROUP, "pymachine")) == ["script"]
    extensions.begin_update(GROUP, "pymachine", "script", {"properties": {"settings": {"commandToExecute": "id"}}}).result()
    assert extensions.get(GROUP, "pymachine", "script").properties.settings == {"commandToExecute": "id"}
    extensions.begin_delete(GROUP, "pymachine", "script").result()
    of.begin_delete(GROUP, "pymachine").result()
    refused(ResourceNotFoundError, 404, lambda: of.get(GROUP, "pymachine"))


@case
def vaults():
    of, tenant = VAULTS.vaults, SITE["tenant_id"]
    assert of.check_name_availability({"name": "pymadekv", "type": "Microsoft.KeyVault/vaults"}).name_available
    made = of.begin_create_or_update(GROUP, "pymadekv", {"location": PLACE, "tags": {"a": "b"}, "properties": {
        "tenantId": tenant, "sku": {"family": "A", "name": "standard"}, "softDeleteRetentionInDays": 7,
        "enableRbacAuthorization": False, "accessPolicies": []}}).result()
    assert made.properties.vault_uri.startswith("https://pymadekv.") and made.properties.soft_delete_retention_in_days == 7
    policy = {"tenantId": tenant, "objectId": SITE["operator_object_id"], "permissions": {"secrets": ["get", "list"]}}
    of.update_access_policy(GROUP, "pymadekv", "add", {"properties": {"accessPolicies": [policy]}})
    changed = of.update(GROUP, "pymadekv", {"tags": {"a": "c"}})
    assert changed.tags == {"a": "c"} and changed.properties.access_policies[0].object_id == SITE["operator_object_id"]
    assert of.get(GROUP, "PyMadeKV").properties.access_policies[0].permissions.secrets == ["get", "list"]
    assert names(of.list_by_resource_group(GROUP)) == ["pymadekv"] and "pymadekv" in names(of.list_by_subscription())
    assert "pymadekv" in names(of.list()), "the list by filter"
    taken = of.check_name_availability({"name": "pymadekv", "type": "Microsoft.KeyVault/vaults"})
    assert (taken.name_available, taken.reason) == (False, "AlreadyExists")
    of.delete(GROUP, "pymadekv")
    assert "pymadekv" in names(of.list_deleted())
    deleted = of.get_deleted("pymadekv", PLACE)
    assert deleted.properties.scheduled_purge_date > deleted.properties.deletion_date
    of.begin_purge_deleted("pymadekv", PLACE).result()
    refused(ResourceNotFoundError, 404, lambda: of.get_deleted("pymadekv", PLACE))


@case
def accounts():
    of = ACCOUNTS.storage_accounts
    assert of.check_name_availability({"name": "pymadesa", "type": "Microsoft.Storage/storageAccounts"}).name_available
    made = of.begin_create(GROUP, "pymadesa", {"location": PLACE, "kind": "StorageV2", "sku": {"name": "Standard_LRS"},
                                               "tags": {"a": "b"}}).result()
    assert made.primary_endpoints.blob.startswith("https://pymadesa.blob.") and made.provisioning_state == "Succeeded"
    assert of.update(GROUP, "pymadesa", {"tags": {"a": "c"}}).tags == {"a": "c"}
    shown = of.get_properties(GROUP, "pymadesa")
    assert (shown.sku.name, shown.kind, shown.minimum_tls_version) == ("Standard_LRS", "StorageV2", "TLS1_2")
    assert names(of.list_by_resource_group(GROUP)) == ["pymadesa"] and "pymadesa" in names(of.list())
    keys = of.list_keys(GROUP, "pymadesa").keys_property
    renewed = of.regenerate_key(GROUP, "pymadesa", {"keyName": "key1"}).keys_property
    assert [k.key_name for k in keys] == ["key1", "key2"] and keys[0].value != renewed[0].value
    boxes = ACCOUNTS.blob_containers
    assert boxes.create(GROUP, "pymadesa", "box", {"properties": {"metadata": {"m": "n"}}}).name == "box"
    assert boxes.get(GROUP, "pymadesa", "box").metadata == {"m": "n"}
    boxes.update(GROUP, "pymadesa", "box", {"properties": {"metadata": {"m": "o"}}})
    assert names(boxes.list(GROUP, "pymadesa")) == ["box"]
    boxes.delete(GROUP, "pymadesa", "box")
    refused(ResourceNotFoundError, 404, lambda: boxes.get(GROUP, "pymadesa", "box"))
    services = ACCOUNTS.blob_services
    assert services.get_service_properties(GROUP, "pymadesa").name == "default"
    services.set_service_properties(GROUP, "pymadesa", {"properties": {"isVersioningEnabled": False}})
    assert names(services.list(GROUP, "pymadesa")) == ["default"]
    of.delete(GROUP, "pymadesa")
    refused(ResourceNotFoundError, 404, lambda: of.get_properties(GROUP, "pymadesa"))


@case
def roles():
    reader = next(iter(ROLES.role_definitions.list(GROUP_ID, filter="roleName eq 'Reader'")))
    assert (reader.role_name, reader.role_type, reader.permissions[0].actions) == ("Reader", "BuiltInRole", ["*/read"])
    custom = str(uuid.uuid4())
    definition = {"properties": {"roleName": "Python Tagger", "type": "CustomRole", "description": "tags", "assignableScopes": [SCOPE],
                                 "permissions": [{"actions": ["Microsoft.Resources/tags/*"], "notActions": []}]}}
    made = ROLES.role_definitions.create_or_update(SCOPE, custom, definition)
    definition["properties"]["description"] = "tags, and nothing else"
    ROLES.role_definitions.create_or_update(SCOPE, custom, definition)
    assert ROLES.role_definitions.get(SCOPE, custom).description == "tags, and nothing else"
    assert ROLES.role_definitions.get_by_id(made.id.lstrip("/")).role_name == "Python Tagger"
    assert "Python Tagger" in [r.role_name for r in ROLES.role_definitions.list(SCOPE, filter="type eq 'CustomRole'")]
    name = str(uuid.uuid4())
    given = ROLES.role_assignments.create(GROUP_ID, name, {"properties": {
        "roleDefinitionId": made.id, "principalId": SITE["machine_principal_id"], "principalType": "ServicePrincipal"}})
    assert (given.scope.lower(), given.principal_type) == (GROUP_ID.lower(), "ServicePrincipal")
    by_principal = f"principalId eq '{SITE['machine_principal_id']}'"
    assert name in names(ROLES.role_assignments.list_for_scope(GROUP_ID, filter="atScope()"))
    assert name in names(ROLES.role_assignments.list_for_resource_group(GROUP, filter=by_principal))
    assert name in names(ROLES.role_assignments.list_for_subscription(filter=by_principal))
    assert ROLES.role_assignments.get_by_id(given.id.lstrip("/")).name == name
    twice = refused(HttpResponseError, 409, lambda: ROLES.role_assignments.create(GROUP_ID, str(uuid.uuid4()), {"properties": {
        "roleDefinitionId": made.id, "principalId": SITE["machine_principal_id"], "principalType": "ServicePrincipal"}}))
    assert twice.error.code == "RoleAssignmentExists"
    assert ROLES.role_assignments.delete(GROUP_ID, name).name == name
    assert ROLES.role_assignments.delete(GROUP_ID, name) is None, "it is gone already"
    ROLES.role_definitions.delete(SCOPE, custom)
    of_machine = (SITE["machine_resource_id"].split("/")[4], "Microsoft.HybridCompute", "machines", SITE["machine_name"])
    assert len(list(ROLES.role_assignments.list_for_resource(*of_machine))) > 0, "what applies to the machine"
    assert list(ROLES.deny_assignments.list_for_scope(GROUP_ID)) == [] and list(ROLES.deny_assignments.list()) == []
    assert "*" in next(iter(ROLES.permissions.list_for_resource_group(GROUP))).actions


@case
def locks():
    of = LOCKS.management_locks
    made = of.create_or_update_at_resource_group_level(GROUP, "keep", {"properties": {"level": "CanNotDelete", "notes": "by python"}})
    assert (made.level, made.notes) == ("CanNotDelete", "by python")
    locked = refused(HttpResponseError, 409, lambda: RESOURCES.resource_groups.begin_delete(GROUP).result())
    assert locked.error.code == "ScopeLocked"
    assert of.get_at_resource_group_level(GROUP, "keep").id == made.id
    assert names(of.list_at_resource_group_level(GROUP)) == ["keep"] and "keep" in names(of.list_at_subscription_level())
    machine = (SITE["machine_resource_id"].split("/")[4], "Microsoft.HybridCompute", "", "machines", SITE["machine_name"])
    of.create_or_update_at_resource_level(*machine, "kept", {"properties": {"level": "CanNotDelete"}})
    assert names(of.list_at_resource_level(*machine, filter="atScope()")) == ["kept"]
    of.delete_at_resource_level(*machine, "kept")
    of.delete_at_resource_group_level(GROUP, "keep")
    of.create_or_update_at_subscription_level("all", {"properties": {"level": "CanNotDelete"}})
    assert of.get_at_subscription_level("all").level == "CanNotDelete"
    of.delete_at_subscription_level("all")


@case
def tags_providers_and_moves():
    at = SITE["machine_resource_id"].lstrip("/")
    before = RESOURCES.tags.get_at_scope(at).properties.tags
    RESOURCES.tags.begin_update_at_scope(at, {"operation": "Merge", "properties": {"tags": {"python": "1"}}}).result()
    assert RESOURCES.tags.get_at_scope(at).properties.tags == {**before, "python": "1"}
    RESOURCES.tags.begin_update_at_scope(at, {"operation": "Delete", "properties": {"tags": {"python": "1"}}}).result()
    whole = RESOURCES.resource_groups.get(GROUP).id.lstrip("/")
    RESOURCES.tags.begin_create_or_update_at_scope(whole, {"properties": {"tags": {"only": "this"}}}).result()
    assert RESOURCES.resource_groups.get(GROUP).tags == {"only": "this"}
    RESOURCES.tags.begin_delete_at_scope(whole).result()
    assert not RESOURCES.resource_groups.get(GROUP).tags
    RESOURCES.tags.create_or_update("pytag")
    RESOURCES.tags.create_or_update_value("pytag", "value")
    assert [t.values_property[0].tag_value for t in RESOURCES.tags.list() if t.tag_name == "pytag"] == ["value"]
    RESOURCES.tags.delete_value("pytag", "value")
    RESOURCES.tags.delete("pytag")
    provider = RESOURCES.providers.get("Microsoft.HybridCompute")
    assert provider.registration_state == "Registered" and "machines" in [t.resource_type for t in provider.resource_types]
    assert RESOURCES.providers.register("Microsoft.KeyVault").registration_state == "Registered"
    assert RESOURCES.providers.unregister("Microsoft.KeyVault").namespace == "Microsoft.KeyVault"
    assert "Microsoft.KeyVault" in [p.namespace for p in RESOURCES.providers.list_at_tenant_scope()]
    assert RESOURCES.providers.get_at_tenant_scope("Microsoft.KeyVault").namespace == "Microsoft.KeyVault"
    assert {"Microsoft.KeyVault", "Microsoft.Storage"} <= {p.namespace for p in RESOURCES.providers.list()}
    IDENTITIES.user_assigned_identities.create_or_update(GROUP, "mover", {"location": PLACE})
    machine = RESOURCES.resources.begin_create_or_update(
        GROUP, "Microsoft.HybridCompute", "", "machines", "mover", {"location": PLACE, "properties": {}},
        api_version="2024-07-10").result()
    RESOURCES.resource_groups.create_or_update("second-by-python", {"location": PLACE})
    target = f"{SCOPE}/resourceGroups/second-by-python"
    RESOURCES.resources.begin_validate_move_resources(GROUP, {"resources": [machine.id], "targetResourceGroup": target}).result()
    RESOURCES.resources.begin_move_resources(GROUP, {"resources": [machine.id], "targetResourceGroup": target}).result()
    assert names(RESOURCES.resources.list_by_resource_group("second-by-python")) == ["mover"]
    by_type = RESOURCES.resources.list(filter="resourceType eq 'Microsoft.HybridCompute/machines' and name eq 'mover'")
    moved = [r.id for r in by_type]
    assert len(moved) == 1 and "second-by-python" in moved[0]
    by_id = {"resource_id": moved[0].lstrip("/"), "api_version": "2024-07-10"}
    of = RESOURCES.resources
    assert of.check_existence_by_id(**by_id) and of.get_by_id(**by_id).name == "mover"
    assert of.begin_update_by_id(parameters={"tags": {"a": "b"}}, **by_id).result().tags == {"a": "b"}
    assert of.begin_create_or_update_by_id(parameters={"location": PLACE, "properties": {}}, **by_id).result().name == "mover"
    of.begin_delete_by_id(**by_id).result()
    refused(ResourceNotFoundError, 404, lambda: of.get_by_id(**by_id))
    RESOURCES.resource_groups.begin_delete("second-by-python").result()
    RESOURCES.resource_groups.begin_delete(GROUP).result()
    refused(ResourceNotFoundError, 404, lambda: RESOURCES.resource_groups.get(GROUP))


main()
