package conformance

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/authorization/armauthorization/v2"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/keyvault/armkeyvault"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/resources/armresources/v3"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/storage/armstorage"
)

func TestTheMachineIsShownWithItsIdentity(t *testing.T) {
	resources, err := armresources.NewClient(here.Subscription, operator(t), armOptions())
	must(t, err)
	got, err := resources.GetByID(context.Background(), here.MachineID, "2024-07-10", nil)
	must(t, err)
	if got.Identity == nil || value(got.Identity.PrincipalID) != here.MachinePrincipal || value(got.Tags["scenario"]) != "conformance" {
		t.Fatalf("%+v", got.GenericResource)
	}
}

func TestTagNamesAreListedToTheReader(t *testing.T) {
	tags, err := armresources.NewTagsClient(here.Subscription, machine(t), armOptions())
	must(t, err)
	var names []string
	for pager := tags.NewListPager(nil); pager.More(); {
		page, err := pager.NextPage(context.Background())
		must(t, err)
		for _, tag := range page.Value {
			names = append(names, value(tag.TagName))
		}
	}
	if !slices.Contains(names, "scenario") {
		t.Fatal(names)
	}
}

func TestGroupsAreMadeReadChangedAndDeleted(t *testing.T) {
	background := context.Background()
	groups, err := armresources.NewResourceGroupsClient(here.Subscription, operator(t), armOptions())
	must(t, err)
	made, err := groups.CreateOrUpdate(background, "Made-By-Go", armresources.ResourceGroup{
		Location: to.Ptr("local"), Tags: map[string]*string{"a": to.Ptr("b")}}, nil)
	must(t, err)
	got, err := groups.Get(background, "made-by-GO", nil)
	must(t, err)
	if !strings.EqualFold(value(got.ID), value(made.ID)) || value(got.Tags["a"]) != "b" {
		t.Fatalf("%+v", got.ResourceGroup)
	}
	poller, err := groups.BeginDelete(background, "made-by-go", nil)
	must(t, err)
	_, err = poller.PollUntilDone(background, nil)
	must(t, err)
	_, err = groups.Get(background, "made-by-go", nil)
	refused(t, err, 404, "ResourceGroupNotFound")
}

func TestAReaderDoesNotWrite(t *testing.T) {
	groups, err := armresources.NewResourceGroupsClient(here.Subscription, machine(t), armOptions())
	must(t, err)
	_, err = groups.Get(context.Background(), here.Group, nil)
	must(t, err)
	_, err = groups.CreateOrUpdate(context.Background(), "made-by-machine", armresources.ResourceGroup{Location: to.Ptr("local")}, nil)
	refused(t, err, 403, "AuthorizationFailed")
}

func TestAVaultAndAnAccountAreMadeAndARoleIsGiven(t *testing.T) {
	background := context.Background()
	vaults, err := armkeyvault.NewVaultsClient(here.Subscription, operator(t), armOptions())
	must(t, err)
	making, err := vaults.BeginCreateOrUpdate(background, here.Group, "gomadekv", armkeyvault.VaultCreateOrUpdateParameters{
		Location: to.Ptr("local"), Properties: &armkeyvault.VaultProperties{TenantID: to.Ptr(here.Tenant),
			SKU:                     &armkeyvault.SKU{Family: to.Ptr(armkeyvault.SKUFamilyA), Name: to.Ptr(armkeyvault.SKUNameStandard)},
			EnableRbacAuthorization: to.Ptr(true)}}, nil)
	must(t, err)
	vault, err := making.PollUntilDone(background, nil)
	must(t, err)
	if !strings.HasPrefix(value(vault.Properties.VaultURI), "https://gomadekv.") {
		t.Fatal(value(vault.Properties.VaultURI))
	}
	accounts, err := armstorage.NewAccountsClient(here.Subscription, operator(t), armOptions())
	must(t, err)
	creating, err := accounts.BeginCreate(background, here.Group, "gomadesa", armstorage.AccountCreateParameters{
		Location: to.Ptr("local"), Kind: to.Ptr(armstorage.KindStorageV2),
		SKU: &armstorage.SKU{Name: to.Ptr(armstorage.SKUNameStandardLRS)}}, nil)
	must(t, err)
	account, err := creating.PollUntilDone(background, nil)
	must(t, err)
	roles, err := armauthorization.NewRoleAssignmentsClient(here.Subscription, operator(t), armOptions())
	must(t, err)
	const blobDataReader = "2a2b9908-6ea1-4ae2-8e65-a410df84e7d1"
	given, err := roles.Create(background, value(account.ID), "b3b9d5c6-0000-4000-8000-00000000600d",
		armauthorization.RoleAssignmentCreateParameters{Properties: &armauthorization.RoleAssignmentProperties{
			PrincipalID: to.Ptr(here.MachinePrincipal), PrincipalType: to.Ptr(armauthorization.PrincipalTypeServicePrincipal),
			RoleDefinitionID: to.Ptr("/subscriptions/" + here.Subscription + "/providers/Microsoft.Authorization/roleDefinitions/" + blobDataReader)}}, nil)
	must(t, err)
	if value(given.Properties.PrincipalID) != here.MachinePrincipal {
		t.Fatalf("%+v", given.RoleAssignment)
	}
	found := false
	pager := roles.NewListForScopePager(value(account.ID), &armauthorization.RoleAssignmentsClientListForScopeOptions{Filter: to.Ptr("atScope()")})
	for pager.More() {
		page, err := pager.NextPage(background)
		must(t, err)
		for _, assignment := range page.Value {
			found = found || strings.EqualFold(value(assignment.ID), value(given.ID))
		}
	}
	if !found {
		t.Fatal("the assignment is not listed")
	}
}
