package openmiosa

import (
	"context"
	"encoding/json"
	"iter"
	"net/http"
)

// pages fetches the pages of a list as they are needed. Each time it is ranged over it starts from the first page.
func pages[T any](ctx context.Context, t *transport, path string, query object, read func(json.RawMessage) (T, error)) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var none T
		cursor, _ := query["cursor"].(string)
		for {
			body, err := t.request(ctx, call{method: http.MethodGet, path: path, query: query})
			var raws []json.RawMessage
			if err == nil {
				raws, err = plenty(body)
			}
			if err != nil {
				yield(none, err)
				return
			}
			for _, raw := range raws {
				item, err := read(raw)
				if !yield(item, err) || err != nil {
					return
				}
			}
			next := nextCursor(body)
			if next == "" || next == cursor {
				return
			}
			cursor = next
			query = merged(query, object{"cursor": next})
		}
	}
}

// readAs reads an item of a list into a record.
func readAs[T any](raw json.RawMessage) (T, error) {
	var record T
	if err := json.Unmarshal(raw, &record); err != nil {
		return record, unreadable("%v", err)
	}
	return record, nil
}

// failing is a list, or a stream, that has only an error.
func failing[T any](err error) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var none T
		yield(none, err)
	}
}

// Collect puts all that an iterator gives into a slice, and ends at its first error.
func Collect[T any](items iter.Seq2[T, error]) ([]T, error) {
	var all []T
	for item, err := range items {
		if err != nil {
			return all, err
		}
		all = append(all, item)
	}
	return all, nil
}
