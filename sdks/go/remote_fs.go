package openmiosa

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"
)

// FS is a folder of the sandbox as a read-only file system, for fs.WalkDir, os.CopyFS, http.FS and whatever else reads one.
// Workspace is the folder when the root is empty; the context is that of every call it makes.
func (f *Files) FS(ctx context.Context, root string) fs.FS {
	return &remoteFS{ctx: ctx, files: f, root: folder(root)}
}

// remoteFS holds a context because io/fs has no place for one in its calls.
type remoteFS struct {
	ctx   context.Context
	files *Files
	root  string
}

// Open opens a file or folder for reading.
func (r *remoteFS) Open(name string) (fs.File, error) {
	info, err := r.stat("open", name)
	if err != nil {
		return nil, err
	}
	return &remoteFile{fs: r, name: name, info: info}, nil
}

// Stat says what is known of a file or folder.
func (r *remoteFS) Stat(name string) (fs.FileInfo, error) { return r.stat("stat", name) }

// ReadFile gives a file's bytes.
func (r *remoteFS) ReadFile(name string) ([]byte, error) {
	if !fs.ValidPath(name) {
		return nil, &fs.PathError{Op: "read", Path: name, Err: fs.ErrInvalid}
	}
	content, err := r.files.Read(r.ctx, r.inside(name))
	return content, pathError("read", name, err)
}

// ReadDir lists a folder by name.
func (r *remoteFS) ReadDir(name string) ([]fs.DirEntry, error) {
	if !fs.ValidPath(name) {
		return nil, &fs.PathError{Op: "readdir", Path: name, Err: fs.ErrInvalid}
	}
	found, err := r.files.List(r.ctx, r.inside(name), nil)
	if err != nil {
		return nil, pathError("readdir", name, err)
	}
	entries := make([]fs.DirEntry, len(found))
	for index, one := range found {
		entries[index] = fs.FileInfoToDirEntry(infoOf(one, path.Base(one.Path)))
	}
	slices.SortFunc(entries, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	return entries, nil
}

func (r *remoteFS) stat(op, name string) (fs.FileInfo, error) {
	if !fs.ValidPath(name) {
		return nil, &fs.PathError{Op: op, Path: name, Err: fs.ErrInvalid}
	}
	found, err := r.files.Stat(r.ctx, r.inside(name))
	if err != nil {
		return nil, pathError(op, name, err)
	}
	return infoOf(*found, path.Base(name)), nil
}

func (r *remoteFS) inside(name string) string { return path.Join(r.root, name) }

// pathError is the error that io/fs asks for; errors.Is finds fs.ErrNotExist in it, and this package's own.
func pathError(op, name string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, ErrNotFound):
		err = errors.Join(fs.ErrNotExist, err)
	case errors.Is(err, ErrPermissionDenied):
		err = errors.Join(fs.ErrPermission, err)
	}
	return &fs.PathError{Op: op, Path: name, Err: err}
}

// remoteFile is an open file or folder; its bytes are fetched with the first read.
type remoteFile struct {
	fs      *remoteFS
	name    string
	info    fs.FileInfo
	stream  io.ReadCloser
	entries []fs.DirEntry
	listed  bool
	closed  bool
}

// Stat says what was known when it was opened.
func (f *remoteFile) Stat() (fs.FileInfo, error) { return f.info, nil }

// Read reads on.
func (f *remoteFile) Read(into []byte) (int, error) {
	if f.closed {
		return 0, &fs.PathError{Op: "read", Path: f.name, Err: fs.ErrClosed}
	}
	if f.info.IsDir() {
		return 0, &fs.PathError{Op: "read", Path: f.name, Err: errors.New("is a folder")}
	}
	if f.stream == nil {
		stream, err := f.fs.files.ReadStream(f.fs.ctx, f.fs.inside(f.name))
		if err != nil {
			return 0, pathError("read", f.name, err)
		}
		f.stream = stream
	}
	return f.stream.Read(into)
}

// ReadDir lists on, as fs.ReadDirFile says.
func (f *remoteFile) ReadDir(count int) ([]fs.DirEntry, error) {
	if !f.listed {
		entries, err := f.fs.ReadDir(f.name)
		if err != nil {
			return nil, err
		}
		f.entries, f.listed = entries, true
	}
	if count <= 0 {
		count = len(f.entries)
	} else if len(f.entries) == 0 {
		return nil, io.EOF
	}
	count = min(count, len(f.entries))
	given := f.entries[:count]
	f.entries = f.entries[count:]
	return given, nil
}

// Close ends the reading.
func (f *remoteFile) Close() error {
	f.closed = true
	if f.stream == nil {
		return nil
	}
	return f.stream.Close()
}

// remoteInfo is FileInfo as io/fs wants it.
type remoteInfo struct {
	info FileInfo
	name string
	mode fs.FileMode
}

func infoOf(info FileInfo, name string) fs.FileInfo {
	bits, err := strconv.ParseUint(strings.TrimPrefix(info.Mode, "0o"), 8, 32)
	if err != nil {
		bits = 0o644
	}
	mode := fs.FileMode(bits) & fs.ModePerm
	if info.IsDir {
		mode |= fs.ModeDir
	}
	if info.IsSymlink {
		mode |= fs.ModeSymlink
	}
	return &remoteInfo{info, name, mode}
}

func (i *remoteInfo) Name() string       { return i.name }
func (i *remoteInfo) Size() int64        { return i.info.Size }
func (i *remoteInfo) Mode() fs.FileMode  { return i.mode }
func (i *remoteInfo) ModTime() time.Time { return i.info.ModifiedAt }
func (i *remoteInfo) IsDir() bool        { return i.info.IsDir }

// Sys gives the FileInfo of the API.
func (i *remoteInfo) Sys() any { return i.info }

// octal spells permissions as the API does.
func octal(mode fs.FileMode) string { return "0" + strconv.FormatUint(uint64(mode.Perm()), 8) }
