// The record of one outbound call.

package openmiosa

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// SecretTransforms has the names of the secrets that were put in place of their placeholders.
type SecretTransforms struct {
	Record  `json:"-"`
	Swapped []string `json:"swapped"`
}

// UnmarshalJSON keeps what it does not know in Extra.
func (r *SecretTransforms) UnmarshalJSON(data []byte) error { return readRecord(data, r, &r.Record) }

// MarshalJSON writes back all that came.
func (r SecretTransforms) MarshalJSON() ([]byte, error) { return writeRecord(r, r.Record) }

// RequestTransforms is what was changed in a request on its way.
type RequestTransforms struct {
	Record  `json:"-"`
	Secrets SecretTransforms `json:"secrets"`
}

// UnmarshalJSON keeps what it does not know in Extra.
func (r *RequestTransforms) UnmarshalJSON(data []byte) error { return readRecord(data, r, &r.Record) }

// MarshalJSON writes back all that came.
func (r RequestTransforms) MarshalJSON() ([]byte, error) { return writeRecord(r, r.Record) }

// SecretUse is a secret that went out with a request: which version, and where in the request.
type SecretUse struct {
	Record  `json:"-"`
	Name    string `json:"name" required:"true"`
	Version int    `json:"version"`
	Place   string `json:"place"`
}

// UnmarshalJSON keeps what it does not know in Extra.
func (r *SecretUse) UnmarshalJSON(data []byte) error { return readRecord(data, r, &r.Record) }

// MarshalJSON writes back all that came.
func (r SecretUse) MarshalJSON() ([]byte, error) { return writeRecord(r, r.Record) }

// Event is the record of one outbound call; StatusCode is what the sandbox received (403 for a refusal, 0 for nothing).
type Event struct {
	Record              `json:"-"`
	ID                  string            `json:"id" required:"true"`
	Number              int               `json:"number"`
	Timestamp           time.Time         `json:"timestamp"`
	Action              string            `json:"action"`
	Effect              string            `json:"effect"`
	Host                string            `json:"host"`
	Port                int               `json:"port"`
	Protocol            string            `json:"protocol"`
	Method              string            `json:"method"`
	Path                string            `json:"path"`
	StatusCode          int               `json:"status_code"`
	Reason              string            `json:"reason"`
	Message             string            `json:"message"`
	RejectedBy          string            `json:"rejected_by"`
	RequestTransforms   RequestTransforms `json:"request_transforms"`
	Secrets             []SecretUse       `json:"secrets"`
	MCP                 map[string]any    `json:"mcp"`
	DurationMS          float64           `json:"duration_ms"`
	BytesIn             int64             `json:"bytes_in"`
	BytesOut            int64             `json:"bytes_out"`
	EndedAs             string            `json:"ended_as"`
	Count               int               `json:"count"`
	Revision            int               `json:"revision"`
	PolicyID            string            `json:"policy_id"`
	PolicyMode          string            `json:"policy_mode"`
	RuleID              string            `json:"rule_id"`
	ResourceID          string            `json:"resource_id"`
	ResourceType        string            `json:"resource_type"`
	TenantID            string            `json:"tenant_id"`
	ActorID             string            `json:"actor_id"`
	ExternalUserID      string            `json:"external_user_id"`
	ExternalWorkspaceID string            `json:"external_workspace_id"`
	Metadata            map[string]any    `json:"metadata"`
}

// UnmarshalJSON keeps what it does not know in Extra.
func (r *Event) UnmarshalJSON(data []byte) error { return readRecord(data, r, &r.Record) }

// MarshalJSON writes back all that came.
func (r Event) MarshalJSON() ([]byte, error) { return writeRecord(r, r.Record) }

// Swapped has the names of the secrets that this call carried.
func (r *Event) Swapped() []string { return r.RequestTransforms.Secrets.Swapped }

// String is the line that audit logs show; what a sandbox chose cannot steer the terminal that it is printed on.
func (r Event) String() string {
	secrets := plain(strings.Join(r.Swapped(), ","))
	if secrets == "" {
		secrets = "none"
	}
	return fmt.Sprintf("[audit] %s %s HTTP %d secrets=%s", plain(r.Action), plain(r.Host), r.StatusCode, secrets)
}

// plain escapes what steers a terminal or turns the direction of writing.
func plain(text string) string {
	var safe strings.Builder
	for _, letter := range text {
		if unicode.IsPrint(letter) {
			safe.WriteRune(letter)
		} else {
			quoted := strconv.QuoteRuneToASCII(letter)
			safe.WriteString(quoted[1 : len(quoted)-1])
		}
	}
	return safe.String()
}
