package openmiosa

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

var kindByCode = map[string]error{
	"INSUFFICIENT_SCOPE":        ErrInsufficientScope,
	"NO_RULES":                  ErrNoRules,
	"NAME_TAKEN":                ErrNameTaken,
	"RESOURCE_STATE":            ErrSandboxState,
	"SANDBOX_STATE":             ErrSandboxState,
	"SANDBOX_STARTING":          ErrSandboxState,
	"SANDBOX_NOT_COMMAND_READY": ErrSandboxState,
}

var kindByStatus = map[int]error{
	http.StatusBadRequest:            ErrBadRequest,
	http.StatusUnauthorized:          ErrAuthentication,
	http.StatusForbidden:             ErrPermissionDenied,
	http.StatusNotFound:              ErrNotFound,
	http.StatusConflict:              ErrConflict,
	http.StatusRequestEntityTooLarge: ErrPayloadTooLarge,
	http.StatusUnprocessableEntity:   ErrValidation,
	http.StatusTooManyRequests:       ErrRateLimit,
	http.StatusNotImplemented:        ErrNotSupported,
	http.StatusServiceUnavailable:    ErrUnavailable,
}

// retriedStatuses are worth another try when the server does not say; 500 stands among them because every request that is
// sent again can be repeated safely.
var retriedStatuses = map[int]bool{429: true, 500: true, 502: true, 503: true, 504: true}

// apiError reads an error answer, whichever of the known forms its body has: the nested object, the top level, or both.
func apiError(status int, body []byte, headers http.Header) *APIError {
	said := errorBody(body)
	code, _ := said.find("code").(string)
	if text, isText := said.outer["error"].(string); code == "" && isText && text == strings.ToUpper(text) && text != strings.ToLower(text) {
		code = text
	}
	failure := &APIError{
		Kind:      kindOf(status, code),
		Code:      code,
		Message:   said.message(status),
		Status:    status,
		RequestID: headers.Get("X-Request-Id"),
		Retry:     retriedStatuses[status],
		Details:   map[string]any{},
	}
	if id, isText := said.find("request_id").(string); isText && id != "" {
		failure.RequestID = id
	}
	for _, name := range []string{"retryable", "retry"} {
		if value, isSaid := said.find(name).(bool); isSaid {
			failure.Retry = value
		}
	}
	if details, isObject := said.find("details").(map[string]any); isObject {
		failure.Details = details
	}
	failure.RetryAfter, failure.waits = said.wait(headers)
	return failure
}

func kindOf(status int, code string) error {
	if known := kindByCode[code]; known != nil {
		return known
	}
	if known := kindByStatus[status]; known != nil {
		return known
	}
	if status >= http.StatusInternalServerError {
		return ErrServer
	}
	return ErrAPI
}

// errorSaid is the body of an error answer: the nested object where there is one, and the top level.
type errorSaid struct{ inner, outer map[string]any }

func errorBody(body []byte) errorSaid {
	var outer map[string]any
	if json.Unmarshal(body, &outer) != nil {
		outer = nil
	}
	if nested, isObject := outer["error"].(map[string]any); isObject {
		return errorSaid{nested, outer}
	}
	return errorSaid{outer, outer}
}

func (s errorSaid) find(name string) any {
	if value := s.inner[name]; value != nil {
		return value
	}
	return s.outer[name]
}

func (s errorSaid) message(status int) string {
	for _, body := range []map[string]any{s.inner, s.outer} {
		for _, name := range []string{"message", "detail", "reason", "error", "errors"} {
			value := body[name]
			if list, isList := value.([]any); isList && len(list) > 0 {
				value = list[0]
			}
			if text, isText := value.(string); isText && text != "" {
				return text
			}
		}
	}
	return fmt.Sprintf("the server answered %d and did not say why", status)
}

func (s errorSaid) wait(headers http.Header) (time.Duration, bool) {
	candidates := []struct {
		value any
		unit  float64
	}{{s.find("retry_after"), 1}, {s.find("retry_after_ms"), 0.001}, {headers.Get("Retry-After"), 1}}
	for _, one := range candidates {
		seconds, isNumber := one.value.(float64)
		if text, isText := one.value.(string); isText {
			read, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
			seconds, isNumber = read, err == nil
		}
		// A number that no clock could hold is no answer; everything above the longest wait is cut to it later.
		if isNumber && seconds == seconds {
			return time.Duration(min(max(0, seconds*one.unit), 1e9) * float64(time.Second)), true
		}
	}
	return 0, false
}
