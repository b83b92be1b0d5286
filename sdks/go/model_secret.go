// Records of secrets, bindings and connected accounts. None of them ever holds a value.

package openmiosa

import (
	"slices"
	"time"
)

// Binding is a secret exposed to a resource under a variable; Placeholder is what the sandbox sees.
type Binding struct {
	Record       `json:"-"`
	ID           string    `json:"id" required:"true"`
	TenantID     string    `json:"tenant_id"`
	SecretID     string    `json:"secret_id"`
	SecretName   string    `json:"secret_name"`
	ResourceID   string    `json:"resource_id"`
	ResourceType string    `json:"resource_type"`
	ExposeAsEnv  string    `json:"expose_as_env"`
	Placeholder  string    `json:"placeholder"`
	Inherited    bool      `json:"inherited"`
	CreatedAt    time.Time `json:"created_at"`
}

// UnmarshalJSON keeps what it does not know in Extra.
func (r *Binding) UnmarshalJSON(data []byte) error { return readRecord(data, r, &r.Record) }

// MarshalJSON writes back all that came.
func (r Binding) MarshalJSON() ([]byte, error) { return writeRecord(r, r.Record) }

// Secret is what may be known of a secret: everything but its value.
type Secret struct {
	Record              `json:"-"`
	ID                  string         `json:"id" required:"true"`
	Name                string         `json:"name" required:"true"`
	Type                string         `json:"type"`
	Scope               string         `json:"scope"`
	Status              string         `json:"status"`
	Provider            string         `json:"provider"`
	Preview             string         `json:"preview"`
	MaskedValue         string         `json:"masked_value"`
	ExposeAsEnv         string         `json:"expose_as_env"`
	AllowedHosts        []string       `json:"allowed_hosts"`
	BoundHosts          []string       `json:"bound_hosts"`
	Inert               bool           `json:"inert"`
	Version             int            `json:"version"`
	TenantID            string         `json:"tenant_id"`
	ResourceID          string         `json:"resource_id"`
	ResourceType        string         `json:"resource_type"`
	WorkspaceID         string         `json:"workspace_id"`
	OwnerUserID         string         `json:"owner_user_id"`
	ExternalUserID      string         `json:"external_user_id"`
	ExternalWorkspaceID string         `json:"external_workspace_id"`
	Metadata            map[string]any `json:"metadata"`
	ExpiresAt           time.Time      `json:"expires_at"`
	LastUsedAt          time.Time      `json:"last_used_at"`
	CreatedAt           time.Time      `json:"created_at"`
	UpdatedAt           time.Time      `json:"updated_at"`
	Binding             *Binding       `json:"binding"`
}

// UnmarshalJSON keeps what it does not know in Extra.
func (r *Secret) UnmarshalJSON(data []byte) error { return readRecord(data, r, &r.Record) }

// MarshalJSON writes back all that came.
func (r Secret) MarshalJSON() ([]byte, error) { return writeRecord(r, r.Record) }

// Provider is an account provider that can be connected on this server.
type Provider struct {
	Record      `json:"-"`
	ID          string   `json:"id"`
	Name        string   `json:"name" required:"true"`
	DisplayName string   `json:"display_name"`
	Scopes      []string `json:"scopes"`
	Flows       []string `json:"flows"`
	Hosts       []string `json:"hosts"`
	ExposeAsEnv string   `json:"expose_as_env"`
	Configured  bool     `json:"configured"`
}

// UnmarshalJSON keeps what it does not know in Extra.
func (r *Provider) UnmarshalJSON(data []byte) error { return readRecord(data, r, &r.Record) }

// MarshalJSON writes back all that came.
func (r Provider) MarshalJSON() ([]byte, error) { return writeRecord(r, r.Record) }

// ConnectionInfo is what a person needs to give consent: a URL, or with the device flow a code to enter at VerificationURI.
type ConnectionInfo struct {
	Record                  `json:"-"`
	State                   string    `json:"state" required:"true"`
	AuthorizeURL            string    `json:"authorize_url"`
	Provider                string    `json:"provider"`
	Flow                    string    `json:"flow"`
	SecretID                string    `json:"secret_id"`
	RedirectURI             string    `json:"redirect_uri"`
	VerificationURI         string    `json:"verification_uri"`
	VerificationURIComplete string    `json:"verification_uri_complete"`
	UserCode                string    `json:"user_code"`
	Interval                float64   `json:"interval"`
	ExpiresAt               time.Time `json:"expires_at"`
}

// UnmarshalJSON keeps what it does not know in Extra.
func (r *ConnectionInfo) UnmarshalJSON(data []byte) error { return readRecord(data, r, &r.Record) }

// MarshalJSON writes back all that came.
func (r ConnectionInfo) MarshalJSON() ([]byte, error) { return writeRecord(r, r.Record) }

// ConnectionStatus is how far a consent is.
type ConnectionStatus struct {
	Record   `json:"-"`
	Status   string `json:"status"`
	State    string `json:"state"`
	SecretID string `json:"secret_id"`
	Provider string `json:"provider"`
	Error    string `json:"error"`
	Message  string `json:"message"`
}

// UnmarshalJSON keeps what it does not know in Extra.
func (r *ConnectionStatus) UnmarshalJSON(data []byte) error { return readRecord(data, r, &r.Record) }

// MarshalJSON writes back all that came.
func (r ConnectionStatus) MarshalJSON() ([]byte, error) { return writeRecord(r, r.Record) }

// Done says that the account is connected.
func (r *ConnectionStatus) Done() bool {
	return slices.Contains([]string{"completed", "ready", "succeeded", "connected", "active"}, r.Status)
}

// Failed says that it will not be connected by this consent.
func (r *ConnectionStatus) Failed() bool {
	return slices.Contains([]string{"failed", "error", "denied", "expired"}, r.Status)
}

// String leaves out what is as private as a password while the consent is open.
func (r ConnectionInfo) String() string {
	return described(r, "State", "AuthorizeURL", "UserCode", "VerificationURIComplete")
}

// GoString is String.
func (r ConnectionInfo) GoString() string { return r.String() }

// String leaves out the state, which is private while the consent is open.
func (r ConnectionStatus) String() string { return described(r, "State") }

// GoString is String.
func (r ConnectionStatus) GoString() string { return r.String() }
