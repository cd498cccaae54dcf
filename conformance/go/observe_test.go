package conformance

import (
	"encoding/json"
	"net/http"
	"os"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
)

// observer writes each answer of the resource manager, as a line of JSON, to the file that CONFORMANCE_RECORD names;
// ../fields/check.py compares them with the descriptions of the API. Nothing is changed for the client.
type observer struct{}

func (observer) Do(request *policy.Request) (*http.Response, error) {
	answer, err := request.Next()
	record := os.Getenv("CONFORMANCE_RECORD")
	if err != nil || record == "" {
		return answer, err
	}
	// Read once; whoever reads it after us is served from what was kept.
	body, err := runtime.Payload(answer)
	if err != nil {
		return answer, err
	}
	line, err := json.Marshal(map[string]any{"method": request.Raw().Method, "url": request.Raw().URL.String(),
		"status": answer.StatusCode, "body": string(body)})
	if err != nil {
		return answer, err
	}
	file, err := os.OpenFile(record, os.O_APPEND|os.O_WRONLY|os.O_CREATE, 0o600)
	if err != nil {
		return answer, err
	}
	defer file.Close()
	_, err = file.Write(append(line, '\n'))
	return answer, err
}
