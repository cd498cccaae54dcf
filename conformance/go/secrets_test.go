package conformance

import (
	"context"
	"fmt"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/security/keyvault/azsecrets"
)

// vault makes a client with the default settings: it verifies our challenge.
func vault(t *testing.T, url string, credential azcore.TokenCredential) *azsecrets.Client {
	t.Helper()
	client, err := azsecrets.NewClient(url, credential, nil)
	must(t, err)
	return client
}

func set(t *testing.T, client *azsecrets.Client, name, content string) azsecrets.Secret {
	t.Helper()
	made, err := client.SetSecret(context.Background(), name, azsecrets.SetSecretParameters{Value: &content}, nil)
	must(t, err)
	return made.Secret
}

func TestSetAndGetKeepEveryByte(t *testing.T) {
	client := vault(t, here.Vault, operator(t))
	content := "zwölf Boxkämpfer 🐹 \"quoted\" \\ \n second line"
	made, err := client.SetSecret(context.Background(), "go-text", azsecrets.SetSecretParameters{
		Value: &content, ContentType: to.Ptr("text/plain"), Tags: map[string]*string{"owner": to.Ptr("tests")}}, nil)
	must(t, err)
	found, err := client.GetSecret(context.Background(), "go-text", "", nil)
	must(t, err)
	if value(found.Value) != content || value(found.ID) != value(made.ID) ||
		value(found.ContentType) != "text/plain" || value(found.Tags["owner"]) != "tests" {
		t.Fatalf("%+v", found.Secret)
	}
	if found.Attributes == nil || !value(found.Attributes.Enabled) || found.Attributes.Created == nil {
		t.Fatalf("%+v", found.Attributes)
	}
}

func TestAnOldVersionStaysReadable(t *testing.T) {
	client := vault(t, here.Vault, operator(t))
	first := set(t, client, "go-versioned", "one")
	set(t, client, "go-versioned", "two")
	old, err := client.GetSecret(context.Background(), "go-versioned", first.ID.Version(), nil)
	must(t, err)
	if value(old.Value) != "one" {
		t.Fatal(value(old.Value))
	}
	versions := 0
	for pager := client.NewListSecretPropertiesVersionsPager("go-versioned", nil); pager.More(); {
		page, err := pager.NextPage(context.Background())
		must(t, err)
		versions += len(page.Value)
	}
	if versions < 2 {
		t.Fatal(versions)
	}
}

func TestTwoHundredSecretsAreListedOnceEach(t *testing.T) {
	client := vault(t, here.Vault, operator(t))
	for number := range 200 {
		set(t, client, fmt.Sprintf("go-many-%03d", number), "x")
	}
	seen := map[string]int{}
	for pager := client.NewListSecretPropertiesPager(nil); pager.More(); {
		page, err := pager.NextPage(context.Background())
		must(t, err)
		for _, item := range page.Value {
			seen[item.ID.Name()]++
		}
	}
	for number := range 200 {
		if name := fmt.Sprintf("go-many-%03d", number); seen[name] != 1 {
			t.Fatalf("%s was listed %d times", name, seen[name])
		}
	}
}

func TestADeletedSecretCanBeRecoveredAndPurged(t *testing.T) {
	background := context.Background()
	client := vault(t, here.Vault, operator(t))
	set(t, client, "go-doomed", "x")
	deleted, err := client.DeleteSecret(background, "go-doomed", nil)
	must(t, err)
	if deleted.DeletedDate == nil || deleted.ScheduledPurgeDate == nil || value(deleted.RecoveryID) == "" {
		t.Fatalf("%+v", deleted.DeletedSecret)
	}
	_, err = client.GetSecret(background, "go-doomed", "", nil)
	refused(t, err, 404, "SecretNotFound")
	_, err = client.GetDeletedSecret(background, "go-doomed", nil)
	must(t, err)
	_, err = client.RecoverDeletedSecret(background, "go-doomed", nil)
	must(t, err)
	back, err := client.GetSecret(background, "go-doomed", "", nil)
	must(t, err)
	if value(back.Value) != "x" {
		t.Fatal(value(back.Value))
	}
	_, err = client.DeleteSecret(background, "go-doomed", nil)
	must(t, err)
	_, err = client.PurgeDeletedSecret(background, "go-doomed", nil)
	must(t, err)
	_, err = client.GetDeletedSecret(background, "go-doomed", nil)
	refused(t, err, 404, "SecretNotFound")
}

func TestTheMachineMayReadButNotWrite(t *testing.T) {
	client := vault(t, here.Vault, machine(t))
	_, err := client.GetSecret(context.Background(), "scenario", "", nil)
	must(t, err)
	_, err = client.SetSecret(context.Background(), "from-machine", azsecrets.SetSecretParameters{Value: to.Ptr("x")}, nil)
	refused(t, err, 403, "Forbidden")
	_, err = vault(t, here.ClosedVault, machine(t)).GetSecret(context.Background(), "hidden", "", nil)
	refused(t, err, 403, "Forbidden")
}
