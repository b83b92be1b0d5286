package openmiosa

import (
	"context"
	"fmt"
	"net/http"
	"time"
)

// consentLimit is how long a consent is waited for when the context does not say.
const consentLimit = 5 * time.Minute

// Connection is a consent that has been asked for. A person opens AuthorizeURL, or with the device flow enters UserCode at
// VerificationURI.
type Connection struct {
	Info ConnectionInfo

	scope scope
}

// Provider is whose account it is.
func (c *Connection) Provider() string { return c.Info.Provider }

// AuthorizeURL is where a person gives consent in a browser; empty with the device flow.
func (c *Connection) AuthorizeURL() string { return c.Info.AuthorizeURL }

// State is what this consent is known by; as private as a password while it is open.
func (c *Connection) State() string { return c.Info.State }

// VerificationURI is where the code of the device flow is entered.
func (c *Connection) VerificationURI() string { return c.Info.VerificationURI }

// UserCode is the code of the device flow.
func (c *Connection) UserCode() string { return c.Info.UserCode }

// Status says how far it is.
func (c *Connection) Status(ctx context.Context) (*ConnectionStatus, error) {
	body, err := c.scope.call(ctx, http.MethodGet, object{"state": c.Info.State}, nil, "egress", "oauth", "status")
	return recordOf[ConnectionStatus](body, err)
}

// WaitForCompletion returns the account's secret once consent was given, and a *ConnectionFailedError when it was refused.
// The context says how long to wait; five minutes when it does not.
func (c *Connection) WaitForCompletion(ctx context.Context) (*Secret, error) {
	ctx, cancel := patient(ctx, consentLimit)
	defer cancel()
	for {
		status, err := c.Status(ctx)
		if err == nil && status.Failed() {
			return nil, c.refused(status)
		}
		if err == nil && status.Done() && status.SecretID != "" {
			return secretOf(c.scope.call(ctx, http.MethodGet, nil, nil, "egress", "secrets", status.SecretID))
		}
		if err := between(ctx, c.interval(), err, "no consent for %s yet; waiting again is fine while the link holds", c.Provider()); err != nil {
			return nil, err
		}
	}
}

// String names the provider, and nothing that is private.
func (c *Connection) String() string { return fmt.Sprintf("openmiosa.Connection(%s)", c.Provider()) }

// GoString is String.
func (c *Connection) GoString() string { return c.String() }

func (c *Connection) refused(status *ConnectionStatus) error {
	why := status.Message
	if why == "" {
		why = status.Error
	}
	if why == "" {
		why = status.Status
	}
	return &ConnectionFailedError{Provider: c.Provider(), Message: why, Reason: status.Error}
}

// interval is how often to look: as often as the provider allows, every second when it does not say.
func (c *Connection) interval() time.Duration {
	if c.Info.Interval <= 0 {
		return time.Second
	}
	return min(time.Duration(c.Info.Interval*float64(time.Second)), 2*time.Second)
}
