package openmiosa

import (
	"fmt"
	"net/url"
	"reflect"
	"strconv"
	"strings"
	"time"
)

// object is a JSON object, or the parameters of a query, before it is spelled.
type object = map[string]any

// pathOf joins segments of a path of the API, each percent-encoded.
func pathOf(segments ...string) (string, error) {
	encoded := make([]string, len(segments))
	for index, segment := range segments {
		if segment == "" || segment == "." || segment == ".." {
			return "", failed(ErrConfiguration, "%q is no id and no name", segment)
		}
		encoded[index] = url.PathEscape(segment)
	}
	return strings.Join(encoded, "/"), nil
}

// given has what an options struct says, under its JSON names: zero fields are left out, pointers and empty slices that
// are not nil are said, and Extra is passed through.
func given(options any) object {
	said := object{}
	source := reflect.ValueOf(options)
	for source.Kind() == reflect.Pointer {
		if source.IsNil() {
			return said
		}
		source = source.Elem()
	}
	if !source.IsValid() {
		return said
	}
	for _, field := range fieldsOf(source.Type()) {
		if value := source.Field(field.index); !value.IsZero() {
			said[field.name] = plainValue(value.Interface())
		}
	}
	if extra, found := source.Type().FieldByName("Extra"); found {
		for name, value := range source.FieldByIndex(extra.Index).Interface().(object) {
			said[name] = value
		}
	}
	return said
}

// plainValue spells times as the API does and durations as seconds.
func plainValue(value any) any {
	switch one := value.(type) {
	case time.Time:
		return one.UTC().Format(time.RFC3339Nano)
	case time.Duration:
		return one.Seconds()
	}
	return value
}

// merged puts objects into one; later ones win.
func merged(objects ...object) object {
	all := object{}
	for _, one := range objects {
		for name, value := range one {
			all[name] = value
		}
	}
	return all
}

// repeated is a list that a query says by repeating its name.
type repeated []string

// queryOf spells parameters: lists comma-joined unless they are repeated, nil left out.
func queryOf(values object) string {
	query := url.Values{}
	for name, value := range values {
		if several, repeats := value.(repeated); repeats {
			query[name] = several
		} else if text, said := queryText(value); said {
			query.Set(name, text)
		}
	}
	return query.Encode()
}

func queryText(value any) (string, bool) {
	switch one := plainValue(value).(type) {
	case nil:
		return "", false
	case string:
		return one, true
	case []string:
		return strings.Join(one, ","), true
	case float64:
		return strconv.FormatFloat(one, 'f', -1, 64), true
	case *bool:
		return strconv.FormatBool(*one), true
	default:
		return fmt.Sprint(one), true
	}
}
