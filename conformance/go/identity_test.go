package conformance

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
	"github.com/Azure/azure-sdk-for-go/sdk/security/keyvault/azsecrets"
)

func token(t *testing.T, credential azcore.TokenCredential, scope string) azcore.AccessToken {
	t.Helper()
	got, err := credential.GetToken(context.Background(), policy.TokenRequestOptions{Scopes: []string{scope}})
	must(t, err)
	if strings.Count(got.Token, ".") != 2 {
		t.Fatalf("no JWT: %q", got.Token)
	}
	return got
}

func TestManagedIdentityAnswersTheChallenge(t *testing.T) {
	got := token(t, machine(t), "https://management.azure.com/.default")
	if time.Until(got.ExpiresOn) < time.Hour {
		t.Fatalf("ends at %v", got.ExpiresOn)
	}
}

func TestTwoAudiencesGetTwoTokens(t *testing.T) {
	credential := machine(t)
	vault := token(t, credential, "https://vault.azure.net/.default")
	if storage := token(t, credential, "https://storage.azure.com/.default"); storage.Token == vault.Token {
		t.Fatal("one token for two audiences")
	}
}

func TestDefaultCredentialFindsTheMachine(t *testing.T) {
	credential, err := azidentity.NewDefaultAzureCredential(nil)
	must(t, err)
	token(t, credential, "https://vault.azure.net/.default")
}

// The site writes the file of Arc's agent, but a program without the two variables must be served as well.
func TestWithoutVariables(t *testing.T) {
	t.Setenv("IDENTITY_ENDPOINT", "")
	t.Setenv("IMDS_ENDPOINT", "")
	token(t, machine(t), "https://vault.azure.net/.default")
	credential, err := azidentity.NewDefaultAzureCredential(nil)
	must(t, err)
	token(t, credential, "https://storage.azure.com/.default")
}

func TestAnIdentityThatIsNotThereIsRefused(t *testing.T) {
	credential, err := azidentity.NewManagedIdentityCredential(&azidentity.ManagedIdentityCredentialOptions{
		ID: azidentity.ClientID("00000000-0000-0000-0000-00000000dead")})
	must(t, err)
	_, err = credential.GetToken(context.Background(), policy.TokenRequestOptions{
		Scopes: []string{"https://vault.azure.net/.default"}})
	if err == nil {
		t.Fatal("an identity that is not there got a token")
	}
}

func TestSecretAtTheAuthority(t *testing.T) {
	token(t, operator(t), "https://management.azure.com/.default")
}

// AZURE_AUTHORITY_HOST is in the environment; the tenant "adfs" spares the program even the one argument.
func TestTenantAdfsNeedsOnlyTheEnvironment(t *testing.T) {
	t.Setenv("AZURE_AUTHORITY_HOST", here.Authority)
	t.Setenv("AZURE_TENANT_ID", "adfs")
	t.Setenv("AZURE_CLIENT_ID", here.OperatorClient)
	t.Setenv("AZURE_CLIENT_SECRET", here.OperatorSecret)
	credential, err := azidentity.NewDefaultAzureCredential(nil)
	must(t, err)
	token(t, credential, "https://storage.azure.com/.default")
}

func TestAWrongSecretIsRefusedInEntraWords(t *testing.T) {
	wrong := func(tenant, client, words string) {
		t.Helper()
		credential, err := azidentity.NewClientSecretCredential(tenant, client, "not the secret",
			&azidentity.ClientSecretCredentialOptions{ClientOptions: ours(), DisableInstanceDiscovery: true})
		must(t, err)
		_, err = credential.GetToken(context.Background(), policy.TokenRequestOptions{
			Scopes: []string{"https://vault.azure.net/.default"}})
		if err == nil || !strings.Contains(err.Error(), words) {
			t.Fatalf("%s was due: %v", words, err)
		}
	}
	wrong(here.Tenant, here.OperatorClient, "AADSTS7000215")
	wrong(here.Tenant, "00000000-0000-0000-0000-00000000dead", "AADSTS700016")
	wrong("00000000-0000-0000-0000-00000000dead", here.OperatorClient, "AADSTS90002")
}

func TestDefaultCredentialReadsASecret(t *testing.T) {
	credential, err := azidentity.NewDefaultAzureCredential(nil)
	must(t, err)
	vault, err := azsecrets.NewClient(here.Vault, credential, nil)
	must(t, err)
	got, err := vault.GetSecret(context.Background(), "scenario", "", nil)
	must(t, err)
	if value(got.Value) != "the cake is in the kitchen" {
		t.Fatal(value(got.Value))
	}
}
