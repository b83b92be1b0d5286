package openmiosa

import (
	"encoding/json"
	"io/fs"
	"net/http"
	"path"
	"strings"
)

// ServeHTTP answers stat, list and download below /workspace, and leaves the rest to the script.
func (r remoteTree) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	where := request.URL.Query().Get("path")
	route := strings.TrimPrefix(request.URL.Path, "/api/v1/sandboxes/sbx_1")
	if route == "/fs/stat" {
		var body struct{ Path string }
		_ = json.NewDecoder(request.Body).Decode(&body)
		where = body.Path
	}
	name := strings.TrimPrefix(strings.TrimPrefix(path.Clean(where), Workspace), "/")
	if name == "" {
		name = "."
	}
	info, err := fs.Stat(r.tree, name)
	switch {
	case where == "":
		r.next.ServeHTTP(w, request)
	case err != nil:
		w.WriteHeader(http.StatusNotFound)
		_, _ = w.Write(bodyOf(object{"error": object{"code": "NOT_FOUND", "message": "no such file"}}))
	case route == "/fs/stat":
		_, _ = w.Write(bodyOf(object{"data": r.info(where, info)}))
	case route == "/files":
		_, _ = w.Write(bodyOf(object{"data": object{"entries": r.entries(where, name)}}))
	default:
		w.Header().Set("Content-Type", "application/octet-stream")
		content, _ := fs.ReadFile(r.tree, name)
		_, _ = w.Write(content)
	}
}

func (r remoteTree) entries(where, name string) []object {
	found, _ := fs.ReadDir(r.tree, name)
	entries := []object{}
	for _, one := range found {
		info, _ := one.Info()
		entries = append(entries, r.info(path.Join(where, one.Name()), info))
	}
	return entries
}
