package conformance

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
)

const (
	vaultScope   = "https://vault.azure.net/.default"
	storageScope = "https://storage.azure.com/.default"
	graphScope   = "https://graph.microsoft.com/.default"
)

// Which source gives which identity to which client; ../matrix/ask.py says what is asked and answered. Only the step
// `matrix` plays it, with the environment of MATRIX_SOURCE; the line goes to MATRIX_RESULTS.
func TestMatrix(t *testing.T) {
	source := os.Getenv("MATRIX_SOURCE")
	if source == "" {
		t.Skip("the step matrix plays this")
	}
	var cells []string
	if source == "workload" {
		cells = append(cells, judged(t, "workload identity", "EXPECT_OWN", vaultScope, func() (azcore.TokenCredential, error) {
			return azidentity.NewWorkloadIdentityCredential(
				&azidentity.WorkloadIdentityCredentialOptions{DisableInstanceDiscovery: true})
		}), "-", "-", "-")
	} else {
		for _, id := range selectors(t) {
			expected := "EXPECT_IDENTITY"
			if id == nil {
				expected = "EXPECT_OWN"
			}
			cells = append(cells, judged(t, fmt.Sprintf("%T", id), expected, vaultScope, func() (azcore.TokenCredential, error) {
				return azidentity.NewManagedIdentityCredential(&azidentity.ManagedIdentityCredentialOptions{ID: id})
			}))
		}
	}
	// Another resource: the process keeps its tokens for whichever credential comes next.
	chain := func() (azcore.TokenCredential, error) {
		return azidentity.NewDefaultAzureCredential(
			&azidentity.DefaultAzureCredentialOptions{DisableInstanceDiscovery: true})
	}
	cells = append(cells, judged(t, "default", "EXPECT_OWN", storageScope, chain))
	if source == "workload" {
		cells = append(cells, "-") // the variable is one of the source's own
	} else {
		t.Setenv("AZURE_CLIENT_ID", here.IdentityClient)
		cells = append(cells, judged(t, "default by AZURE_CLIENT_ID", "EXPECT_IDENTITY", graphScope, chain))
	}
	result(t, strings.Join(append([]string{"Go: azidentity", source}, cells...), "\t")+"\n")
}

// result hands a line to whoever writes the table: a test's own output is no place for it.
func result(t *testing.T, line string) {
	t.Helper()
	file, err := os.OpenFile(os.Getenv("MATRIX_RESULTS"), os.O_APPEND|os.O_WRONLY, 0)
	must(t, err)
	_, err = file.WriteString(line)
	must(t, err)
	must(t, file.Close())
}

func selectors(t *testing.T) []azidentity.ManagedIDKind {
	t.Helper()
	text, err := os.ReadFile(os.Getenv("COUNTERSIGN_PREPARED"))
	must(t, err)
	var ids struct {
		Client   string `json:"identity_client_id"`
		Object   string `json:"identity_object_id"`
		Resource string `json:"identity_resource_id"`
	}
	must(t, json.Unmarshal(text, &ids))
	return []azidentity.ManagedIDKind{
		nil, azidentity.ClientID(ids.Client), azidentity.ObjectID(ids.Object), azidentity.ResourceID(ids.Resource)}
}

// judged is yes for a token of whom it was due for, and no where the client has none; anybody else's ends the test.
func judged(t *testing.T, what, expected, scope string, make func() (azcore.TokenCredential, error)) string {
	t.Helper()
	credential, err := make()
	var got azcore.AccessToken
	if err == nil {
		got, err = credential.GetToken(context.Background(),
			policy.TokenRequestOptions{Scopes: []string{scope}})
	}
	if err != nil {
		t.Logf("%s: %v", what, err)
		return "no"
	}
	claims, err := base64.RawURLEncoding.DecodeString(strings.Split(got.Token, ".")[1])
	must(t, err)
	var whose struct {
		Object string `json:"oid"`
	}
	must(t, json.Unmarshal(claims, &whose))
	if whose.Object != os.Getenv(expected) {
		t.Fatalf("%s: a token of %s instead of %s", what, whose.Object, os.Getenv(expected))
	}
	return "yes"
}
