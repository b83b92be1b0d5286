package openmiosa

import (
	"bytes"
	"encoding/json"
)

// listNames are the names under which lists arrive; the first that holds a list wins.
var listNames = []string{
	"data", "items", "sandboxes", "secrets", "bindings", "providers", "rules", "allowlist", "policies", "suggestions", "pending",
	"events", "audit", "keys", "api_keys", "snapshots", "processes", "previews", "vars", "entries", "templates", "presets", "written",
}

// single takes one record out of an answer: under data, under one of the names, or flat.
func single(body json.RawMessage, names ...string) (json.RawMessage, error) {
	var outer map[string]json.RawMessage
	if json.Unmarshal(body, &outer) != nil || outer == nil {
		return nil, unreadable("a JSON object was expected")
	}
	for _, name := range append([]string{"data"}, names...) {
		if isObject(outer[name]) {
			return outer[name], nil
		}
	}
	return body, nil
}

// plenty takes a list out of an answer: bare, or under whichever name.
func plenty(body json.RawMessage) ([]json.RawMessage, error) {
	var list []json.RawMessage
	if json.Unmarshal(body, &list) == nil && list != nil {
		return list, nil
	}
	var outer map[string]json.RawMessage
	if json.Unmarshal(body, &outer) == nil {
		for _, name := range listNames {
			if json.Unmarshal(outer[name], &list) == nil && list != nil {
				return list, nil
			}
		}
		if isObject(outer["data"]) {
			return plenty(outer["data"])
		}
	}
	return nil, unreadable("a list was expected")
}

// nextCursor says where the next page starts; empty when there is none.
func nextCursor(body json.RawMessage) string {
	var outer struct {
		Next json.RawMessage `json:"next_cursor"`
		Meta json.RawMessage `json:"meta"`
		Page json.RawMessage `json:"page"`
	}
	if json.Unmarshal(body, &outer) != nil {
		return ""
	}
	for _, raw := range []json.RawMessage{outer.Next, within(outer.Meta), within(outer.Page)} {
		var text string
		if json.Unmarshal(raw, &text) == nil && text != "" {
			return text
		}
		var number json.Number
		if json.Unmarshal(raw, &number) == nil && number != "" {
			return number.String()
		}
	}
	return ""
}

func within(holder json.RawMessage) json.RawMessage {
	var inner struct {
		Next json.RawMessage `json:"next_cursor"`
	}
	if json.Unmarshal(holder, &inner) != nil {
		return nil
	}
	return inner.Next
}

func isObject(raw json.RawMessage) bool {
	return bytes.HasPrefix(bytes.TrimSpace(raw), []byte("{"))
}

// recordOf reads a single record of an answer.
func recordOf[T any](body json.RawMessage, err error, names ...string) (*T, error) {
	if err != nil {
		return nil, err
	}
	raw, err := single(body, names...)
	if err != nil {
		return nil, err
	}
	record := new(T)
	if err := json.Unmarshal(raw, record); err != nil {
		return nil, unreadable("%v", err)
	}
	return record, nil
}

// recordsOf reads a list of records of an answer.
func recordsOf[T any](body json.RawMessage, err error) ([]T, error) {
	if err != nil {
		return nil, err
	}
	raws, err := plenty(body)
	if err != nil {
		return nil, err
	}
	records := make([]T, len(raws))
	for index, raw := range raws {
		if err := json.Unmarshal(raw, &records[index]); err != nil {
			return nil, unreadable("%v", err)
		}
	}
	return records, nil
}
