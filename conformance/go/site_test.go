// Package conformance drives unmodified Azure SDKs for Go against the site that `countersign run` gives us.
//
// Every client keeps its default settings but for what a private cloud needs in any program: the address of the
// authority and of the resource manager, and `DisableInstanceDiscovery` where a secret is sent to the authority.
package conformance

import (
	"encoding/json"
	"errors"
	"os"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/arm"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
)

// site is what prepare.py made, and where it is.
type site struct {
	Tenant           string `json:"tenant_id"`
	Subscription     string `json:"subscription_id"`
	Group            string `json:"group"`
	Location         string `json:"location"`
	Authority        string `json:"authority"`
	ResourceManager  string `json:"resource_manager"`
	OperatorClient   string `json:"operator_client_id"`
	OperatorSecret   string `json:"operator_client_secret"`
	IdentityClient   string `json:"identity_client_id"`
	MachineName      string `json:"machine_name"`
	MachineID        string `json:"machine_resource_id"`
	MachinePrincipal string `json:"machine_principal_id"`
	Vault            string `json:"vault"`
	ClosedVault      string `json:"closed_vault"`
	Account          string `json:"account"`
	ClosedAccount    string `json:"closed_account"`
}

var here = prepared()

func prepared() (s site) {
	text, err := os.ReadFile(os.Getenv("COUNTERSIGN_PREPARED"))
	if err == nil {
		err = json.Unmarshal(text, &s)
	}
	if err != nil {
		panic("COUNTERSIGN_PREPARED names what prepare.py wrote: " + err.Error())
	}
	return s
}

// ours tells a client about the site's cloud.
func ours() azcore.ClientOptions {
	return azcore.ClientOptions{Cloud: cloud.Configuration{
		ActiveDirectoryAuthorityHost: here.Authority,
		Services: map[cloud.ServiceName]cloud.ServiceConfiguration{
			cloud.ResourceManager: {Endpoint: here.ResourceManager, Audience: here.ResourceManager},
		},
	}}
}

func armOptions() *arm.ClientOptions {
	options := ours()
	options.PerRetryPolicies = []policy.Policy{observer{}}
	return &arm.ClientOptions{ClientOptions: options}
}

// operator is the site's own application, by its secret.
func operator(t *testing.T) azcore.TokenCredential {
	t.Helper()
	credential, err := azidentity.NewClientSecretCredential(here.Tenant, here.OperatorClient, here.OperatorSecret,
		&azidentity.ClientSecretCredentialOptions{ClientOptions: ours(), DisableInstanceDiscovery: true})
	must(t, err)
	return credential
}

// machine is this machine's own identity, with no setting at all.
func machine(t *testing.T) azcore.TokenCredential {
	t.Helper()
	credential, err := azidentity.NewManagedIdentityCredential(nil)
	must(t, err)
	return credential
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// refused demands this status and, where one is named, this error code.
func refused(t *testing.T, err error, status int, code string) {
	t.Helper()
	var answer *azcore.ResponseError
	if !errors.As(err, &answer) {
		t.Fatalf("was due %d %s, got %v", status, code, err)
	}
	if answer.StatusCode != status || code != "" && answer.ErrorCode != code {
		t.Fatalf("was due %d %s, got %d %s: %v", status, code, answer.StatusCode, answer.ErrorCode, err)
	}
}

func value[T any](pointer *T) (v T) {
	if pointer != nil {
		v = *pointer
	}
	return v
}
