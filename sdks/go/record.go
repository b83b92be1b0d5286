package openmiosa

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"sync"
)

// Record is what every record of the API carries beside its fields.
type Record struct {
	// Extra has the fields that this version does not know, as they came.
	Extra map[string]json.RawMessage `json:"-"`

	// arrived has the known fields as they came: what nobody changed is written back as it was.
	arrived map[string]json.RawMessage
}

// recordField is a field of a record that JSON knows.
type recordField struct {
	name     string
	index    int
	required bool
}

var recordFields sync.Map // of reflect.Type to []recordField

// fieldsOf lists the fields of a struct that have a JSON name.
func fieldsOf(kind reflect.Type) []recordField {
	if known, found := recordFields.Load(kind); found {
		return known.([]recordField)
	}
	var fields []recordField
	for index := range kind.NumField() {
		name, _, _ := strings.Cut(kind.Field(index).Tag.Get("json"), ",")
		if name != "" && name != "-" {
			fields = append(fields, recordField{name, index, kind.Field(index).Tag.Get("required") == "true"})
		}
	}
	recordFields.Store(kind, fields)
	return fields
}

// readRecord fills a record from a JSON object: null and absent fields keep their zero value, unknown ones go into Extra.
func readRecord(data []byte, record any, beside *Record) error {
	if bytes.Equal(bytes.TrimSpace(data), []byte("null")) {
		return nil
	}
	target := reflect.ValueOf(record).Elem()
	var said map[string]json.RawMessage
	if err := json.Unmarshal(data, &said); err != nil || said == nil {
		return fmt.Errorf("expected a %s as a JSON object", target.Type().Name())
	}
	beside.arrived = map[string]json.RawMessage{}
	for _, field := range fieldsOf(target.Type()) {
		raw, found := said[field.name]
		if field.required && (!found || string(raw) == "null") {
			return fmt.Errorf("a %s came without %q", target.Type().Name(), field.name)
		}
		if !found {
			continue
		}
		delete(said, field.name)
		beside.arrived[field.name] = raw
		if err := readField(raw, target.Field(field.index)); err != nil {
			return fmt.Errorf("%q of a %s cannot be read: %w", field.name, target.Type().Name(), err)
		}
	}
	beside.Extra = said
	return nil
}

// readField is kind to numbers: the wire has some as text, whole ones may come with a fraction of zero, and where text is
// expected the digits are.
func readField(raw json.RawMessage, target reflect.Value) error {
	if string(raw) == "null" {
		return nil
	}
	if target.Kind() == reflect.Int || target.Kind() == reflect.Int64 {
		text := strings.Trim(string(raw), `"`)
		number, err := strconv.ParseFloat(text, 64)
		if err != nil || number != float64(int64(number)) {
			return fmt.Errorf("%s is no whole number", raw)
		}
		target.SetInt(int64(number))
		return nil
	}
	if target.Kind() == reflect.String && strings.ContainsRune("-0123456789", rune(raw[0])) {
		target.SetString(string(raw))
		return nil
	}
	return json.Unmarshal(raw, target.Addr().Interface())
}

// writeRecord is the JSON of a record: what came and was not changed as it came, what was set since, and Extra.
func writeRecord(record any, beside Record) ([]byte, error) {
	source := reflect.ValueOf(record)
	said := make(map[string]any, len(beside.Extra)+len(beside.arrived))
	for name, raw := range beside.Extra {
		said[name] = raw
	}
	for _, field := range fieldsOf(source.Type()) {
		value := source.Field(field.index)
		raw, came := beside.arrived[field.name]
		switch {
		case came && unchanged(raw, value):
			said[field.name] = raw
		case came || !value.IsZero():
			said[field.name] = value.Interface()
		}
	}
	return json.Marshal(said)
}

func unchanged(raw json.RawMessage, value reflect.Value) bool {
	was := reflect.New(value.Type()).Elem()
	return readField(raw, was) == nil && sameValue(was, value)
}

// sameValue compares what was read twice; records within carry memory of their own, which is part of what they are.
func sameValue(one, other reflect.Value) bool {
	return reflect.DeepEqual(one.Interface(), other.Interface())
}
