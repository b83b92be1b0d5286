// Package socket is the door through which the module ws reaches what a client knows, without anybody else seeing the key.
package socket

import "net/http"

// Target is where a WebSocket is opened, and with what.
type Target struct {
	URL    string
	Header http.Header
	HTTP   *http.Client
	// Refused gives the error of this SDK for an upgrade that was answered with another status.
	Refused func(response *http.Response, body []byte) error
	// Failed gives the error of this SDK for a connection that failed; sent says whether it had stood.
	Failed func(cause error, sent bool) error
}

// Of gives the target of a path below a sandbox; the package openmiosa sets it.
var Of func(sandbox any, segments ...string) (Target, error)
