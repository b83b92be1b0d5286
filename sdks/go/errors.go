package openmiosa

import (
	"fmt"
	"strings"
	"time"
)

// Everything that this package returns as an error is of one of these kinds, drawn as one tree. errors.Is finds a kind at
// every level: what is ErrNameTaken is also ErrConflict, ErrAPI and ErrMiosa. errors.As finds *APIError, *TransportError,
// *CommandFailedError and *ConnectionFailedError, which hold the facts.
//
//	ErrMiosa
//	├─ ErrConfiguration         yours: no key, or a base URL that is none
//	├─ ErrTransport             no answer that could be read
//	│  ├─ ErrUnreachable        nothing listens there; the request was never sent
//	│  ├─ ErrRequestTimeout     the answer did not come in time
//	│  ├─ ErrConnectionLost     the connection ended before the answer did
//	│  └─ ErrUnexpectedReply    an answer came, and not one of this API
//	├─ ErrSandboxFailed         the sandbox failed before it was ready
//	├─ ErrWaitTimeout           what was waited for has not happened yet
//	├─ ErrConnectionFailed      a consent at a provider was refused, or failed
//	├─ ErrCommandFailed         Check of a command that did not exit with 0
//	├─ ErrTransfer              some of the files of one call were not written
//	└─ ErrAPI                   the server answered with an error
//	   ├─ ErrValidation         422; the request can be read and a value in it is not allowed
//	   │  └─ ErrBadRequest      400; the request cannot be read
//	   ├─ ErrAuthentication     401; no key, or one that is unknown, revoked or expired
//	   ├─ ErrPermissionDenied   403
//	   │  └─ ErrInsufficientScope  the key lacks a scope; Required names it
//	   ├─ ErrNotFound           404; also for what belongs to someone else
//	   ├─ ErrConflict           409
//	   │  ├─ ErrNoRules         a bare lockdown without rules; Observed lists the hosts seen
//	   │  ├─ ErrNameTaken       the name is in use
//	   │  └─ ErrSandboxState    the sandbox is not in a state that allows this
//	   ├─ ErrPayloadTooLarge    413
//	   ├─ ErrRateLimit          429; wait RetryAfter
//	   └─ ErrServer             5xx; not your fault
//	      ├─ ErrNotSupported    501; this installation cannot do that
//	      └─ ErrUnavailable     503; a part of the system does not answer just now
var (
	ErrMiosa             error = &kind{name: "an error of OpenMIOSA"}
	ErrConfiguration           = below(ErrMiosa, "the client cannot be made from what it was given")
	ErrTransport               = below(ErrMiosa, "no answer that could be read")
	ErrUnreachable             = below(ErrTransport, "nothing listens there; the request was never sent")
	ErrRequestTimeout          = below(ErrTransport, "the answer did not come in time")
	ErrConnectionLost          = below(ErrTransport, "the connection ended before the answer did")
	ErrUnexpectedReply         = below(ErrTransport, "an answer came, and not one of this API")
	ErrSandboxFailed           = below(ErrMiosa, "the sandbox failed before it was ready")
	ErrWaitTimeout             = below(ErrMiosa, "what was waited for has not happened yet")
	ErrConnectionFailed        = below(ErrMiosa, "the account was not connected")
	ErrCommandFailed           = below(ErrMiosa, "the command did not exit with 0")
	ErrTransfer                = below(ErrMiosa, "some files were not written")
	ErrAPI                     = below(ErrMiosa, "the server answered with an error")
	ErrValidation              = below(ErrAPI, "a value in the request is not allowed")
	ErrBadRequest              = below(ErrValidation, "the request cannot be read")
	ErrAuthentication          = below(ErrAPI, "the key is missing, unknown, revoked or expired")
	ErrPermissionDenied        = below(ErrAPI, "the key may not do this")
	ErrInsufficientScope       = below(ErrPermissionDenied, "the key lacks a scope")
	ErrNotFound                = below(ErrAPI, "no such thing for this key")
	ErrConflict                = below(ErrAPI, "the thing is in a state, or has a name, that does not allow this")
	ErrNoRules                 = below(ErrConflict, "a lockdown without hosts, and no rule says which may stay open")
	ErrNameTaken               = below(ErrConflict, "the name is in use")
	ErrSandboxState            = below(ErrConflict, "the sandbox is not in a state that allows this")
	ErrPayloadTooLarge         = below(ErrAPI, "the body, or a field of it, exceeds its limit")
	ErrRateLimit               = below(ErrAPI, "too many at once")
	ErrServer                  = below(ErrAPI, "the fault is the server's")
	ErrNotSupported            = below(ErrServer, "this installation cannot do that")
	ErrUnavailable             = below(ErrServer, "a part of the system does not answer just now")
)

// kind is a node of the tree above.
type kind struct {
	name   string
	parent error
}

func below(parent error, name string) error {
	return &kind{name: name, parent: parent}
}

// Error says what this kind is.
func (k *kind) Error() string { return "openmiosa: " + k.name }

// Unwrap gives the kind above, which is what lets errors.Is find every level.
func (k *kind) Unwrap() error { return k.parent }

// APIError is an error answer of the server: a stable Code, a Message for a person, and whether the same request may
// succeed later.
type APIError struct {
	// Kind is the narrowest of the kinds above that it is of.
	Kind    error
	Code    string
	Message string
	Status  int
	// RequestID is what the server's log knows the request by.
	RequestID string
	// Retry says that the same request may succeed later; the client has tried already as often as it was told to.
	Retry bool
	// RetryAfter is how long the server asks to wait; 0 when it did not say.
	RetryAfter time.Duration
	Details    map[string]any

	// waits says that RetryAfter was said, even if it is 0.
	waits bool
}

// Error is the message, with the facts that one needs to ask about it.
func (e *APIError) Error() string {
	known := []string{fmt.Sprintf("HTTP %d", e.Status)}
	if e.Code != "" {
		known = append(known, e.Code)
	}
	if e.RequestID != "" {
		known = append(known, "request "+e.RequestID)
	}
	text := fmt.Sprintf("%s (%s)", e.Message, strings.Join(known, ", "))
	if e.Kind == ErrNoRules {
		text += e.advice()
	}
	return text
}

// Unwrap gives its kind, for errors.Is.
func (e *APIError) Unwrap() error { return e.Kind }

// Required is the scope that the call needs, where the key lacks one.
func (e *APIError) Required() string {
	scope, _ := e.Details["required"].(string)
	return scope
}

// ObservedHost is a host that the sandbox has called, and how often.
type ObservedHost struct {
	Host  string
	Count int
}

// Observed lists the hosts that were called so far, where a bare lockdown found no rules.
func (e *APIError) Observed() []ObservedHost {
	rows, _ := e.Details["observed"].([]any)
	found := make([]ObservedHost, 0, len(rows))
	for _, row := range rows {
		switch seen := row.(type) {
		case string:
			found = append(found, ObservedHost{Host: seen})
		case map[string]any:
			host, _ := seen["host"].(string)
			count, _ := seen["count"].(float64)
			found = append(found, ObservedHost{Host: host, Count: int(count)})
		}
	}
	return found
}

func (e *APIError) advice() string {
	seen := e.Observed()
	if len(seen) == 0 {
		return "\nNo host was observed yet. Lockdown with options that name no hosts closes everything."
	}
	var listed strings.Builder
	hosts := make([]string, 0, len(seen))
	for _, one := range seen {
		calls := "calls"
		if one.Count == 1 {
			calls = "call"
		}
		fmt.Fprintf(&listed, "\n  %s  %d %s", one.Host, one.Count, calls)
		hosts = append(hosts, fmt.Sprintf("%q", one.Host))
	}
	return fmt.Sprintf("\nHosts observed:%s\nTo keep exactly these: &openmiosa.LockdownOptions{Hosts: []string{%s}}", &listed, strings.Join(hosts, ", "))
}

// TransportError says that no answer came that could be read.
type TransportError struct {
	// Kind is ErrUnreachable, ErrRequestTimeout, ErrConnectionLost or ErrUnexpectedReply.
	Kind    error
	Message string
	// Sent says whether the request may have reached the server, which may then have acted on it.
	Sent bool
	// Cause is what the network said; context.Canceled and context.DeadlineExceeded are found in it by errors.Is.
	Cause error
}

// Error says what happened.
func (e *TransportError) Error() string { return e.Message }

// Unwrap gives its kind and its cause, for errors.Is and errors.As.
func (e *TransportError) Unwrap() []error {
	if e.Cause == nil {
		return []error{e.Kind}
	}
	return []error{e.Kind, e.Cause}
}

// CommandFailedError says that a command inside the sandbox did not exit with 0.
type CommandFailedError struct {
	// Result has the output.
	Result *ExecResult
}

// Error is the exit code and the end of what the command complained of.
func (e *CommandFailedError) Error() string {
	said := strings.TrimSpace(e.Result.Stderr)
	if said == "" {
		said = strings.TrimSpace(e.Result.Stdout)
	}
	if len(said) > 2000 {
		said = said[len(said)-2000:]
	}
	if said == "" {
		return fmt.Sprintf("the command exited with %d", e.Result.ExitCode)
	}
	return fmt.Sprintf("the command exited with %d: %s", e.Result.ExitCode, said)
}

// Unwrap gives ErrCommandFailed.
func (e *CommandFailedError) Unwrap() error { return ErrCommandFailed }

// ConnectionFailedError says that an account was not connected.
type ConnectionFailedError struct {
	Provider string
	Message  string
	// Reason is what the provider or the server said, as a code.
	Reason string
}

// Error says which account, and why.
func (e *ConnectionFailedError) Error() string {
	return fmt.Sprintf("%s was not connected: %s", e.Provider, e.Message)
}

// Unwrap gives ErrConnectionFailed.
func (e *ConnectionFailedError) Unwrap() error { return ErrConnectionFailed }

// plainError is a kind with a sentence of its own, and perhaps a cause.
type plainError struct {
	kind  error
	text  string
	cause error
}

func failed(kind error, format string, values ...any) error {
	return &plainError{kind: kind, text: fmt.Sprintf(format, values...)}
}

func (e *plainError) Error() string { return e.text }

func (e *plainError) Unwrap() []error {
	if e.cause == nil {
		return []error{e.kind}
	}
	return []error{e.kind, e.cause}
}
