package openmiosa

import (
	"context"
	"net/http"
	"strings"

	"github.com/openmiosa/openmiosa/sdks/go/internal/socket"
)

func init() { socket.Of = socketOf }

// socketOf tells the module ws where a sandbox's WebSockets are, and with which key.
func socketOf(sandbox any, segments ...string) (socket.Target, error) {
	own := sandbox.(*Sandbox).scope
	path, err := pathOf(append([]string{"sandboxes", own.sandbox}, segments...)...)
	if err != nil {
		return socket.Target{}, err
	}
	headers := own.transport.headers("")
	headers.Del("Accept")
	return socket.Target{
		URL:    strings.Replace(own.transport.base, "http", "ws", 1) + "/" + path,
		Header: headers,
		HTTP:   own.transport.http,
		Refused: func(response *http.Response, body []byte) error {
			if response.StatusCode < 400 {
				return own.transport.notOurs(response)
			}
			return apiError(response.StatusCode, body, response.Header)
		},
		Failed: func(cause error, sent bool) error { return own.transport.fault(context.Background(), cause, sent) },
	}, nil
}
