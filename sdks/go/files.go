package openmiosa

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"iter"
	"maps"
	"net/http"
	"slices"
	"strings"
)

// Workspace is the folder in which a sandbox's commands run, and whose files outlive them.
const Workspace = "/workspace"

// Files reads and writes the files of a sandbox; paths are those inside it.
type Files struct{ scope scope }

// ListFilesOptions says how deep to look; one level when it does not.
type ListFilesOptions struct {
	Depth int `json:"depth"`
}

// DeleteFileOptions says whether a folder goes with all that is in it.
type DeleteFileOptions struct {
	Recursive bool `json:"recursive"`
}

// WatchOptions says whether folders below are watched too; they are when it does not.
type WatchOptions struct {
	Recursive *bool `json:"recursive"`
}

// Write writes a file, replacing what is there.
func (f *Files) Write(ctx context.Context, path string, content []byte) error {
	_, err := f.scope.inside(ctx, http.MethodPost, nil, object{"path": path, "content_base64": said64(content)}, "fs", "write")
	return err
}

// WriteMany writes several files in one request; the error is ErrTransfer when some of them were not written.
func (f *Files) WriteMany(ctx context.Context, files map[string][]byte) error {
	wanted := []object{}
	for _, path := range slices.Sorted(maps.Keys(files)) {
		wanted = append(wanted, object{"path": path, "content_base64": said64(files[path])})
	}
	body, err := f.scope.inside(ctx, http.MethodPost, nil, object{"files": wanted}, "fs", "write-many")
	if err != nil {
		return err
	}
	var reply struct {
		Failed []struct{ Path, Error string } `json:"failed"`
	}
	if json.Unmarshal(body, &reply) != nil || len(reply.Failed) == 0 {
		return nil
	}
	var why []string
	for _, one := range reply.Failed {
		why = append(why, one.Path+": "+one.Error)
	}
	return failed(ErrTransfer, "not written: %s", strings.Join(why, "; "))
}

// Read gives a file's bytes.
func (f *Files) Read(ctx context.Context, path string) ([]byte, error) {
	stream, err := f.ReadStream(ctx, path)
	if err != nil {
		return nil, err
	}
	defer stream.Close()
	return io.ReadAll(stream)
}

// ReadText gives a file's text.
func (f *Files) ReadText(ctx context.Context, path string) (string, error) {
	content, err := f.Read(ctx, path)
	return string(content), err
}

// ReadStream gives a file's bytes as they arrive; the caller closes it.
func (f *Files) ReadStream(ctx context.Context, path string) (io.ReadCloser, error) {
	wanted, err := f.download(path)
	if err != nil {
		return nil, err
	}
	opened, err := f.scope.transport.open(ctx, wanted)
	if err != nil {
		return nil, err
	}
	return opened, nil
}

// List gives what is in a folder; Workspace when the path is empty.
func (f *Files) List(ctx context.Context, path string, options *ListFilesOptions) ([]FileInfo, error) {
	body, err := f.scope.inside(ctx, http.MethodGet, merged(given(options), object{"path": folder(path)}), nil, "files")
	return recordsOf[FileInfo](body, err)
}

// Stat gives what is known of a file or folder.
func (f *Files) Stat(ctx context.Context, path string) (*FileInfo, error) {
	body, err := f.scope.inside(ctx, http.MethodPost, nil, object{"path": path}, "fs", "stat")
	return recordOf[FileInfo](body, err)
}

// Exists says whether there is a file or folder.
func (f *Files) Exists(ctx context.Context, path string) (bool, error) {
	_, err := f.Stat(ctx, path)
	if errors.Is(err, ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

// Tree gives a folder with its folders, three levels of them when the options do not say.
func (f *Files) Tree(ctx context.Context, path string, options *ListFilesOptions) (*FileTree, error) {
	query := merged(object{"depth": 3}, given(options), object{"path": folder(path)})
	body, err := f.scope.inside(ctx, http.MethodGet, query, nil, "files", "tree")
	return recordOf[FileTree](body, err)
}

// Mkdir makes a folder and those above it.
func (f *Files) Mkdir(ctx context.Context, path string) error {
	_, err := f.scope.inside(ctx, http.MethodPost, nil, object{"path": path, "parents": true}, "fs", "mkdir")
	return err
}

// Delete removes a file, or with Recursive a folder with all that is in it.
func (f *Files) Delete(ctx context.Context, path string, options *DeleteFileOptions) error {
	_, err := f.scope.inside(ctx, http.MethodDelete, merged(given(options), object{"path": path}), nil, "files")
	return err
}

// Watch gives what happens to the files of a folder from now on; Workspace when the path is empty.
func (f *Files) Watch(ctx context.Context, path string, options *WatchOptions) iter.Seq2[FileChange, error] {
	own, err := pathOf("sandboxes", f.scope.sandbox, "files", "watch")
	if err != nil {
		return failing[FileChange](err)
	}
	wanted := call{method: http.MethodGet, path: own, query: merged(given(options), object{"path": folder(path)}), silence: execSilence}
	return func(yield func(FileChange, error) bool) {
		for one, err := range f.scope.transport.frames(ctx, wanted) {
			if err != nil {
				yield(FileChange{}, err)
				return
			}
			var change FileChange
			if json.Unmarshal([]byte(one.data), &change) == nil && !yield(change, nil) {
				return
			}
		}
	}
}

// Export writes files and folders as one compressed archive (tar.gz); Workspace when there are no paths.
func (f *Files) Export(ctx context.Context, into io.Writer, paths ...string) error {
	own, err := pathOf("sandboxes", f.scope.sandbox, "exports", "download")
	if err != nil {
		return err
	}
	if len(paths) == 0 {
		paths = []string{Workspace}
	}
	wanted := call{method: http.MethodGet, path: own, query: object{"paths[]": repeated(paths)}, silence: execSilence}
	return f.scope.transport.copyTo(ctx, into, wanted, nil)
}

func (f *Files) download(path string) (call, error) {
	own, err := pathOf("sandboxes", f.scope.sandbox, "fs", "download")
	return call{method: http.MethodGet, path: own, query: object{"path": path}, accept: "*/*"}, err
}

func folder(path string) string {
	if path == "" {
		return Workspace
	}
	return path
}
