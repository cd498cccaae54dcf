package conformance

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/authorization/armauthorization/v2"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/keyvault/armkeyvault"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/msi/armmsi"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/resources/armresources/v3"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/storage/armstorage"
)

// What the clients know beside the kinds themselves: tags, providers, locks, lists of every scope, children.

func TestTagsOfAScopeAndNamesOfTags(t *testing.T) {
	background := context.Background()
	tags, err := armresources.NewTagsClient(here.Subscription, operator(t), armOptions())
	must(t, err)
	at := strings.TrimPrefix(here.MachineID, "/")
	change := func(operation armresources.TagsPatchOperation) {
		t.Helper()
		poller, err := tags.BeginUpdateAtScope(background, at, armresources.TagsPatchResource{Operation: to.Ptr(operation),
			Properties: &armresources.Tags{Tags: map[string]*string{"go": to.Ptr("1")}}}, nil)
		must(t, err)
		_, err = poller.PollUntilDone(background, nil)
		must(t, err)
	}
	change(armresources.TagsPatchOperationMerge)
	with, err := tags.GetAtScope(background, at, nil)
	must(t, err)
	change(armresources.TagsPatchOperationDelete)
	without, err := tags.GetAtScope(background, at, nil)
	must(t, err)
	if value(with.Properties.Tags["go"]) != "1" || without.Properties.Tags["go"] != nil || value(without.Properties.Tags["scenario"]) != "conformance" {
		t.Fatalf("%+v %+v", with.Properties.Tags, without.Properties.Tags)
	}
	_, err = tags.CreateOrUpdate(background, "gotag", nil)
	must(t, err)
	_, err = tags.CreateOrUpdateValue(background, "gotag", "value", nil)
	must(t, err)
	_, err = tags.DeleteValue(background, "gotag", "value", nil)
	must(t, err)
	_, err = tags.Delete(background, "gotag", nil)
	must(t, err)
}

func TestProviders(t *testing.T) {
	background := context.Background()
	providers, err := armresources.NewProvidersClient(here.Subscription, operator(t), armOptions())
	must(t, err)
	one, err := providers.Get(background, "Microsoft.HybridCompute", nil)
	must(t, err)
	machines := func(kind *armresources.ProviderResourceType) bool { return value(kind.ResourceType) == "machines" }
	if value(one.RegistrationState) != "Registered" || !slices.ContainsFunc(one.ResourceTypes, machines) {
		t.Fatalf("%+v", one.Provider)
	}
	_, err = providers.Register(background, "Microsoft.KeyVault", nil)
	must(t, err)
	_, err = providers.Unregister(background, "Microsoft.KeyVault", nil)
	must(t, err)
	_, err = providers.GetAtTenantScope(background, "Microsoft.KeyVault", nil)
	must(t, err)
	of := all(t, providers.NewListPager(nil), func(p armresources.ProvidersClientListResponse) []*armresources.Provider { return p.Value })
	tenant := all(t, providers.NewListAtTenantScopePager(nil), func(p armresources.ProvidersClientListAtTenantScopeResponse) []*armresources.Provider {
		return p.Value
	})
	storage := func(p *armresources.Provider) bool { return value(p.Namespace) == "Microsoft.Storage" }
	if !slices.ContainsFunc(of, storage) || !slices.ContainsFunc(tenant, storage) {
		t.Fatal("no Microsoft.Storage")
	}
}

// A lock is a resource like others: there is no client of its own for it on the module proxy.
func TestALockIsMadeShownFeltAndDeleted(t *testing.T) {
	group, background := managed(t, "locked-by-go"), context.Background()
	resources, err := armresources.NewClient(here.Subscription, operator(t), armOptions())
	must(t, err)
	groups, err := armresources.NewResourceGroupsClient(here.Subscription, operator(t), armOptions())
	must(t, err)
	const version = "2016-09-01"
	lock := "/subscriptions/" + here.Subscription + "/resourceGroups/" + group + "/providers/Microsoft.Authorization/locks/keep"
	making, err := resources.BeginCreateOrUpdateByID(background, lock, version, armresources.GenericResource{
		Properties: map[string]any{"level": "CanNotDelete"}}, nil)
	must(t, err)
	_, err = making.PollUntilDone(background, nil)
	must(t, err)
	_, err = resources.GetByID(background, lock, version, nil)
	must(t, err)
	_, err = groups.BeginDelete(background, group, nil)
	refused(t, err, 409, "ScopeLocked")
	deleting, err := resources.BeginDeleteByID(background, lock, version, nil)
	must(t, err)
	_, err = deleting.PollUntilDone(background, nil)
	must(t, err)
	_, err = resources.GetByID(background, lock, version, nil)
	refused(t, err, 404, "")
}

func TestGroupsAreFoundByTagAndListed(t *testing.T) {
	group, background := managed(t, "found-by-go"), context.Background()
	groups, err := armresources.NewResourceGroupsClient(here.Subscription, operator(t), armOptions())
	must(t, err)
	changed, err := groups.Update(background, group, armresources.ResourceGroupPatchable{Tags: map[string]*string{"found": to.Ptr("by go")}}, nil)
	must(t, err)
	there, err := groups.CheckExistence(background, group, nil)
	must(t, err)
	filter := &armresources.ResourceGroupsClientListOptions{Filter: to.Ptr("tagName eq 'found' and tagValue eq 'by go'")}
	rows := all(t, groups.NewListPager(filter), func(p armresources.ResourceGroupsClientListResponse) []*armresources.ResourceGroup { return p.Value })
	if !there.Success || len(rows) != 1 || value(rows[0].ID) != value(changed.ID) {
		t.Fatalf("%v %+v", there.Success, rows)
	}
}

func TestWhoMayDoWhatByEveryScope(t *testing.T) {
	factory, err := armauthorization.NewClientFactory(here.Subscription, operator(t), armOptions())
	must(t, err)
	roles, denials := factory.NewRoleAssignmentsClient(), factory.NewDenyAssignmentsClient()
	subscription := all(t, roles.NewListForSubscriptionPager(nil), func(p armauthorization.RoleAssignmentsClientListForSubscriptionResponse) []*armauthorization.RoleAssignment {
		return p.Value
	})
	group := all(t, roles.NewListForResourceGroupPager(here.Group, nil), func(p armauthorization.RoleAssignmentsClientListForResourceGroupResponse) []*armauthorization.RoleAssignment {
		return p.Value
	})
	if len(subscription) == 0 || len(group) == 0 {
		t.Fatalf("%d %d", len(subscription), len(group))
	}
	shown, err := roles.GetByID(context.Background(), strings.TrimPrefix(value(subscription[0].ID), "/"), nil)
	must(t, err)
	if value(shown.Name) != value(subscription[0].Name) {
		t.Fatalf("%+v", shown.RoleAssignment)
	}
	none := all(t, denials.NewListPager(nil), func(p armauthorization.DenyAssignmentsClientListResponse) []*armauthorization.DenyAssignment {
		return p.Value
	})
	if len(none) != 0 {
		t.Fatalf("%+v", none)
	}
	mine := all(t, factory.NewPermissionsClient().NewListForResourceGroupPager(here.Group, nil), func(p armauthorization.PermissionsClientListForResourceGroupResponse) []*armauthorization.Permission {
		return p.Value
	})
	if len(mine) == 0 || !slices.ContainsFunc(mine[0].Actions, func(action *string) bool { return value(action) == "*" }) {
		t.Fatalf("%+v", mine)
	}
}

func TestChildrenAndListsOfTheWholeSubscription(t *testing.T) {
	group, background := managed(t, "children-by-go"), context.Background()
	identities, err := armmsi.NewClientFactory(here.Subscription, operator(t), armOptions())
	must(t, err)
	of, trusts := identities.NewUserAssignedIdentitiesClient(), identities.NewFederatedIdentityCredentialsClient()
	_, err = of.CreateOrUpdate(background, group, "gochild", armmsi.Identity{Location: to.Ptr("local")}, nil)
	must(t, err)
	every := all(t, of.NewListBySubscriptionPager(nil), func(p armmsi.UserAssignedIdentitiesClientListBySubscriptionResponse) []*armmsi.Identity {
		return p.Value
	})
	if !slices.ContainsFunc(every, func(i *armmsi.Identity) bool { return value(i.Name) == "gochild" }) {
		t.Fatalf("%+v", every)
	}
	_, err = trusts.CreateOrUpdate(background, group, "gochild", "trust", armmsi.FederatedIdentityCredential{Properties: &armmsi.FederatedIdentityCredentialProperties{
		Issuer: to.Ptr("https://issuer.example"), Subject: to.Ptr("s"), Audiences: []*string{to.Ptr("a")}}}, nil)
	must(t, err)
	trust, err := trusts.Get(background, group, "gochild", "trust", nil)
	must(t, err)
	if value(trust.Properties.Subject) != "s" {
		t.Fatalf("%+v", trust.Properties)
	}
	_, err = trusts.Delete(background, group, "gochild", "trust", nil)
	must(t, err)
	_, err = trusts.Get(background, group, "gochild", "trust", nil)
	refused(t, err, 404, "")
}

func TestVaultsAndAccountsOfTheWholeSubscription(t *testing.T) {
	background, name := context.Background(), strings.Split(strings.TrimPrefix(here.Vault, "https://"), ".")[0]
	vaults, err := armkeyvault.NewVaultsClient(here.Subscription, operator(t), armOptions())
	must(t, err)
	listed := all(t, vaults.NewListBySubscriptionPager(nil), func(p armkeyvault.VaultsClientListBySubscriptionResponse) []*armkeyvault.Vault { return p.Value })
	if !slices.ContainsFunc(listed, func(v *armkeyvault.Vault) bool { return value(v.Name) == name }) {
		t.Fatalf("%+v", listed)
	}
	taken, err := vaults.CheckNameAvailability(background, armkeyvault.VaultCheckNameAvailabilityParameters{
		Name: to.Ptr(name), Type: to.Ptr("Microsoft.KeyVault/vaults")}, nil)
	must(t, err)
	if taken.NameAvailable == nil || *taken.NameAvailable {
		t.Fatalf("%+v", taken.CheckNameAvailabilityResult)
	}
	factory, err := armstorage.NewClientFactory(here.Subscription, operator(t), armOptions())
	must(t, err)
	accounts, boxes, services := factory.NewAccountsClient(), factory.NewBlobContainersClient(), factory.NewBlobServicesClient()
	account := strings.Split(strings.TrimPrefix(here.Account, "https://"), ".")[0]
	every := all(t, accounts.NewListPager(nil), func(p armstorage.AccountsClientListResponse) []*armstorage.Account { return p.Value })
	inGroup := all(t, accounts.NewListByResourceGroupPager(here.Group, nil), func(p armstorage.AccountsClientListByResourceGroupResponse) []*armstorage.Account {
		return p.Value
	})
	ours := func(a *armstorage.Account) bool { return value(a.Name) == account }
	if !slices.ContainsFunc(every, ours) || !slices.ContainsFunc(inGroup, ours) {
		t.Fatalf("%+v %+v", every, inGroup)
	}
	box := armstorage.BlobContainer{ContainerProperties: &armstorage.ContainerProperties{Metadata: map[string]*string{"m": to.Ptr("n")}}}
	_, err = boxes.Create(background, here.Group, account, "gobox", box, nil)
	must(t, err)
	_, err = boxes.Update(background, here.Group, account, "gobox", box, nil)
	must(t, err)
	shown, err := boxes.Get(background, here.Group, account, "gobox", nil)
	must(t, err)
	if value(shown.ContainerProperties.Metadata["m"]) != "n" {
		t.Fatalf("%+v", shown.ContainerProperties)
	}
	_, err = boxes.Delete(background, here.Group, account, "gobox", nil)
	must(t, err)
	_, err = services.SetServiceProperties(background, here.Group, account, armstorage.BlobServiceProperties{
		BlobServiceProperties: &armstorage.BlobServicePropertiesProperties{IsVersioningEnabled: to.Ptr(false)}}, nil)
	must(t, err)
	found, err := services.GetServiceProperties(background, here.Group, account, nil)
	must(t, err)
	if value(found.Name) != "default" {
		t.Fatalf("%+v", found.BlobServiceProperties)
	}
}
