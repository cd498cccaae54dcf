package conformance

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/authorization/armauthorization/v2"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/keyvault/armkeyvault"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/msi/armmsi"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/resources/armresources/v3"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/storage/armstorage"
)

// all follows the pages of a list.
func all[Page, Row any](t *testing.T, pager *runtime.Pager[Page], rows func(Page) []Row) (found []Row) {
	t.Helper()
	for pager.More() {
		page, err := pager.NextPage(context.Background())
		must(t, err)
		found = append(found, rows(page)...)
	}
	return found
}

// managed makes a group that goes with the test.
func managed(t *testing.T, name string) string {
	t.Helper()
	groups, err := armresources.NewResourceGroupsClient(here.Subscription, operator(t), armOptions())
	must(t, err)
	_, err = groups.CreateOrUpdate(context.Background(), name, armresources.ResourceGroup{Location: to.Ptr("local")}, nil)
	must(t, err)
	t.Cleanup(func() {
		poller, err := groups.BeginDelete(context.Background(), name, nil)
		must(t, err)
		_, err = poller.PollUntilDone(context.Background(), nil)
		must(t, err)
	})
	return name
}

func TestIdentitiesAreMadeListedShownChangedAndDeleted(t *testing.T) {
	group, background := managed(t, "identities-by-go"), context.Background()
	factory, err := armmsi.NewClientFactory(here.Subscription, operator(t), armOptions())
	must(t, err)
	identities, trusts := factory.NewUserAssignedIdentitiesClient(), factory.NewFederatedIdentityCredentialsClient()
	made, err := identities.CreateOrUpdate(background, group, "goid", armmsi.Identity{Location: to.Ptr("local")}, nil)
	must(t, err)
	changed, err := identities.Update(background, group, "goid", armmsi.IdentityUpdate{Tags: map[string]*string{"a": to.Ptr("b")}}, nil)
	must(t, err)
	if value(changed.Properties.PrincipalID) != value(made.Properties.PrincipalID) || value(made.Properties.TenantID) != here.Tenant {
		t.Fatalf("%+v %+v", made.Properties, changed.Properties)
	}
	trust := armmsi.FederatedIdentityCredential{Properties: &armmsi.FederatedIdentityCredentialProperties{
		Issuer: to.Ptr("https://issuer.example"), Subject: to.Ptr("s"), Audiences: []*string{to.Ptr("api://AzureADTokenExchange")}}}
	_, err = trusts.CreateOrUpdate(background, group, "goid", "trust", trust, nil)
	must(t, err)
	listed := all(t, trusts.NewListPager(group, "goid", nil), func(p armmsi.FederatedIdentityCredentialsClientListResponse) []*armmsi.FederatedIdentityCredential {
		return p.Value
	})
	if len(listed) != 1 || value(listed[0].Properties.Subject) != "s" {
		t.Fatalf("%+v", listed)
	}
	shown, err := identities.Get(background, group, "GoID", nil)
	must(t, err)
	if value(shown.Tags["a"]) != "b" {
		t.Fatalf("%+v", shown.Tags)
	}
	rows := all(t, identities.NewListByResourceGroupPager(group, nil), func(p armmsi.UserAssignedIdentitiesClientListByResourceGroupResponse) []*armmsi.Identity {
		return p.Value
	})
	if len(rows) != 1 || value(rows[0].Name) != "goid" {
		t.Fatalf("%+v", rows)
	}
	system, err := factory.NewSystemAssignedIdentitiesClient().GetByScope(background, here.MachineID, nil)
	must(t, err)
	if value(system.Properties.PrincipalID) != here.MachinePrincipal {
		t.Fatalf("%+v", system.Properties)
	}
	_, err = identities.Delete(background, group, "goid", nil)
	must(t, err)
	_, err = identities.Get(background, group, "goid", nil)
	refused(t, err, 404, "ResourceNotFound")
}

func TestMachinesAreMadeListedShownChangedMovedAndDeleted(t *testing.T) {
	group, target, background := managed(t, "machines-by-go"), managed(t, "moved-by-go"), context.Background()
	resources, err := armresources.NewClient(here.Subscription, operator(t), armOptions())
	must(t, err)
	const version = "2024-07-10"
	scope := "/subscriptions/" + here.Subscription + "/resourceGroups/"
	id := scope + group + "/providers/Microsoft.HybridCompute/machines/gomachine"
	making, err := resources.BeginCreateOrUpdateByID(background, id, version, armresources.GenericResource{
		Location: to.Ptr("local"), Properties: map[string]any{"osType": "linux"}}, nil)
	must(t, err)
	_, err = making.PollUntilDone(background, nil)
	must(t, err)
	changing, err := resources.BeginUpdateByID(background, id, version, armresources.GenericResource{Tags: map[string]*string{"a": to.Ptr("b")}}, nil)
	must(t, err)
	_, err = changing.PollUntilDone(background, nil)
	must(t, err)
	there, err := resources.CheckExistenceByID(background, id, version, nil)
	must(t, err)
	if !there.Success {
		t.Fatal("HEAD does not find it")
	}
	moving, err := resources.BeginMoveResources(background, group, armresources.MoveInfo{
		Resources: []*string{to.Ptr(id)}, TargetResourceGroup: to.Ptr(scope + target)}, nil)
	must(t, err)
	_, err = moving.PollUntilDone(background, nil)
	must(t, err)
	rows := all(t, resources.NewListByResourceGroupPager(target, nil), func(p armresources.ClientListByResourceGroupResponse) []*armresources.GenericResourceExpanded {
		return p.Value
	})
	if len(rows) != 1 || value(rows[0].Name) != "gomachine" || value(rows[0].Tags["a"]) != "b" {
		t.Fatalf("%+v", rows)
	}
	deleting, err := resources.BeginDeleteByID(background, value(rows[0].ID), version, nil)
	must(t, err)
	_, err = deleting.PollUntilDone(background, nil)
	must(t, err)
	_, err = resources.GetByID(background, value(rows[0].ID), version, nil)
	refused(t, err, 404, "ResourceNotFound")
}

func TestVaultsAreListedShownChangedDeletedAndPurged(t *testing.T) {
	group, background := managed(t, "vaults-by-go"), context.Background()
	vaults, err := armkeyvault.NewVaultsClient(here.Subscription, operator(t), armOptions())
	must(t, err)
	making, err := vaults.BeginCreateOrUpdate(background, group, "gosecondkv", armkeyvault.VaultCreateOrUpdateParameters{
		Location: to.Ptr("local"), Properties: &armkeyvault.VaultProperties{TenantID: to.Ptr(here.Tenant), AccessPolicies: []*armkeyvault.AccessPolicyEntry{},
			SKU: &armkeyvault.SKU{Family: to.Ptr(armkeyvault.SKUFamilyA), Name: to.Ptr(armkeyvault.SKUNameStandard)}}}, nil)
	must(t, err)
	_, err = making.PollUntilDone(background, nil)
	must(t, err)
	_, err = vaults.UpdateAccessPolicy(background, group, "gosecondkv", armkeyvault.AccessPolicyUpdateKindAdd, armkeyvault.VaultAccessPolicyParameters{
		Properties: &armkeyvault.VaultAccessPolicyProperties{AccessPolicies: []*armkeyvault.AccessPolicyEntry{{
			TenantID: to.Ptr(here.Tenant), ObjectID: to.Ptr(here.MachinePrincipal),
			Permissions: &armkeyvault.Permissions{Secrets: []*armkeyvault.SecretPermissions{to.Ptr(armkeyvault.SecretPermissionsGet)}}}}}}, nil)
	must(t, err)
	changed, err := vaults.Update(background, group, "gosecondkv", armkeyvault.VaultPatchParameters{Tags: map[string]*string{"a": to.Ptr("b")}}, nil)
	must(t, err)
	if len(changed.Properties.AccessPolicies) != 1 || value(changed.Tags["a"]) != "b" {
		t.Fatalf("%+v", changed.Vault)
	}
	rows := all(t, vaults.NewListByResourceGroupPager(group, nil), func(p armkeyvault.VaultsClientListByResourceGroupResponse) []*armkeyvault.Vault {
		return p.Value
	})
	if len(rows) != 1 {
		t.Fatalf("%+v", rows)
	}
	_, err = vaults.Delete(background, group, "gosecondkv", nil)
	must(t, err)
	_, err = vaults.GetDeleted(background, "gosecondkv", "local", nil)
	must(t, err)
	purging, err := vaults.BeginPurgeDeleted(background, "gosecondkv", "local", nil)
	must(t, err)
	_, err = purging.PollUntilDone(background, nil)
	must(t, err)
	_, err = vaults.Get(background, group, "gosecondkv", nil)
	refused(t, err, 404, "ResourceNotFound")
}

func TestAccountsAndContainersAreListedShownChangedAndDeleted(t *testing.T) {
	group, background := managed(t, "accounts-by-go"), context.Background()
	factory, err := armstorage.NewClientFactory(here.Subscription, operator(t), armOptions())
	must(t, err)
	accounts, boxes := factory.NewAccountsClient(), factory.NewBlobContainersClient()
	creating, err := accounts.BeginCreate(background, group, "gosecondsa", armstorage.AccountCreateParameters{
		Location: to.Ptr("local"), Kind: to.Ptr(armstorage.KindStorageV2), SKU: &armstorage.SKU{Name: to.Ptr(armstorage.SKUNameStandardLRS)}}, nil)
	must(t, err)
	_, err = creating.PollUntilDone(background, nil)
	must(t, err)
	changed, err := accounts.Update(background, group, "gosecondsa", armstorage.AccountUpdateParameters{Tags: map[string]*string{"a": to.Ptr("b")}}, nil)
	must(t, err)
	if value(changed.Tags["a"]) != "b" || !strings.HasPrefix(value(changed.Properties.PrimaryEndpoints.Blob), "https://gosecondsa.blob.") {
		t.Fatalf("%+v", changed.Account)
	}
	keys, err := accounts.ListKeys(background, group, "gosecondsa", nil)
	must(t, err)
	renewed, err := accounts.RegenerateKey(background, group, "gosecondsa", armstorage.AccountRegenerateKeyParameters{KeyName: to.Ptr("key1")}, nil)
	must(t, err)
	if len(keys.Keys) != 2 || value(keys.Keys[0].Value) == value(renewed.Keys[0].Value) {
		t.Fatal("the key stayed")
	}
	_, err = boxes.Create(background, group, "gosecondsa", "box", armstorage.BlobContainer{}, nil)
	must(t, err)
	rows := all(t, boxes.NewListPager(group, "gosecondsa", nil), func(p armstorage.BlobContainersClientListResponse) []*armstorage.ListContainerItem {
		return p.Value
	})
	if len(rows) != 1 || value(rows[0].Name) != "box" {
		t.Fatalf("%+v", rows)
	}
	_, err = boxes.Delete(background, group, "gosecondsa", "box", nil)
	must(t, err)
	_, err = accounts.Delete(background, group, "gosecondsa", nil)
	must(t, err)
	_, err = accounts.GetProperties(background, group, "gosecondsa", nil)
	refused(t, err, 404, "ResourceNotFound")
}

func TestRolesOfOnesOwn(t *testing.T) {
	background, scope := context.Background(), "/subscriptions/"+here.Subscription
	roles, err := armauthorization.NewRoleDefinitionsClient(operator(t), armOptions())
	must(t, err)
	const id = "b3b9d5c6-0000-4000-8000-000000006f01"
	definition := armauthorization.RoleDefinition{Properties: &armauthorization.RoleDefinitionProperties{
		RoleName: to.Ptr("Go Tagger"), RoleType: to.Ptr("CustomRole"), AssignableScopes: []*string{to.Ptr(scope)},
		Permissions: []*armauthorization.Permission{{Actions: []*string{to.Ptr("Microsoft.Resources/tags/*")}}}}}
	_, err = roles.CreateOrUpdate(background, scope, id, definition, nil)
	must(t, err)
	custom := &armauthorization.RoleDefinitionsClientListOptions{Filter: to.Ptr("type eq 'CustomRole'")}
	rows := all(t, roles.NewListPager(scope, custom), func(p armauthorization.RoleDefinitionsClientListResponse) []*armauthorization.RoleDefinition {
		return p.Value
	})
	mine := func(r *armauthorization.RoleDefinition) bool { return value(r.Properties.RoleName) == "Go Tagger" }
	if !slices.ContainsFunc(rows, mine) {
		t.Fatalf("%+v", rows)
	}
	_, err = roles.Delete(background, scope, id, nil)
	must(t, err)
	_, err = roles.Get(background, scope, id, nil)
	refused(t, err, 404, "RoleDefinitionDoesNotExist")
}
