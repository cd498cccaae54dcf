package conformance

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"
	_ "unsafe" // for the clock below

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
)

// The clock by which MSAL decides whether half of a token's life is over; it is a variable there for its own tests. A
// program without cgo reads the machine's clock past every library that could say otherwise.
//
//go:linkname clockOfMSAL github.com/AzureAD/microsoft-authentication-library-for-go/apps/managedidentity.now
var clockOfMSAL func() time.Time

// How patient the client is; ../matrix/patience.py says what is asked and printed. Only the step `matrix` plays it.
func TestPatience(t *testing.T) {
	what := os.Getenv("MATRIX_PATIENCE")
	var found string
	switch what {
	case "again":
		found = again(t)
	case "nothing", "away":
		found = nothing(t)
	default:
		t.Skip("the step matrix plays this")
	}
	result(t, strings.Join([]string{"Go: azidentity", what, found}, "\t")+"\n")
}

func again(t *testing.T) string {
	t.Helper()
	credential, err := azidentity.NewManagedIdentityCredential(nil)
	must(t, err)
	var found []string
	hours := strings.Fields(os.Getenv("HOURS"))
	for _, hour := range hours[:len(hours)-1] {
		later, err := time.ParseDuration(hour + "h")
		must(t, err)
		clockOfMSAL = func() time.Time { return time.Now().Add(later) }
		before := asked(t)
		must(t, tokenFrom(credential, vaultScope))
		found = append(found, strconv.Itoa(asked(t)-before))
	}
	// Whether the end is near is asked of the machine's clock: here a token that was near it from the beginning.
	clockOfMSAL = time.Now
	must(t, os.WriteFile(os.Getenv("COUNT")+".life", []byte("180"), 0o600))
	must(t, tokenFrom(credential, storageScope))
	before := asked(t)
	must(t, tokenFrom(credential, storageScope))
	must(t, os.Remove(os.Getenv("COUNT")+".life"))
	return strings.Join(append(found, strconv.Itoa(asked(t)-before)), " ")
}

func asked(t *testing.T) int {
	t.Helper()
	text, err := os.ReadFile(os.Getenv("COUNT"))
	must(t, err)
	number, err := strconv.Atoi(string(text))
	must(t, err)
	return number
}

func nothing(t *testing.T) string {
	t.Helper()
	best := time.Hour
	for try := 0; best >= time.Second && (try < 2 || try < 3 && best < 2*time.Second); try++ {
		began := time.Now()
		credential, err := azidentity.NewDefaultAzureCredential(nil)
		must(t, err)
		if tokenFrom(credential, vaultScope) == nil {
			t.Fatal("a token, where nothing listens")
		}
		best = min(best, time.Since(began))
	}
	return fmt.Sprintf("%.2f", best.Seconds())
}

func tokenFrom(credential azcore.TokenCredential, scope string) error {
	_, err := credential.GetToken(context.Background(), policy.TokenRequestOptions{Scopes: []string{scope}})
	return err
}
