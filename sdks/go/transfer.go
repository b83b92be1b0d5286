package openmiosa

import (
	"context"
	"encoding/base64"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"sync/atomic"
)

// Progress is told how many bytes of how many have gone; total is -1 when nobody knows.
type Progress func(done, total int64)

// UploadOptions says how files arrive.
type UploadOptions struct {
	// Mode is that of the files, 0644 when it is 0; UploadFS and Upload keep whether a file can be executed.
	Mode fs.FileMode
	// Size is how many bytes a reader will give; one that can seek need not be told.
	Size int64
	// Progress is called for each piece, by one goroutine at a time.
	Progress Progress
}

// DownloadOptions says who is told how far it is.
type DownloadOptions struct{ Progress Progress }

// Upload sends a file, or a folder with what is in it, to a path in the sandbox.
func (f *Files) Upload(ctx context.Context, local, remote string, options *UploadOptions) error {
	info, err := os.Stat(local)
	if err != nil {
		return err
	}
	if info.IsDir() {
		return f.UploadFS(ctx, os.DirFS(local), remote, options)
	}
	return f.uploadFile(ctx, os.DirFS(filepath.Dir(local)), filepath.Base(local), remote, options)
}

// UploadFS sends all folders and regular files of a file system (a folder, an archive, what was embedded) to a folder in the
// sandbox. Progress begins anew with each file.
func (f *Files) UploadFS(ctx context.Context, source fs.FS, remote string, options *UploadOptions) error {
	return fs.WalkDir(source, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			// Files bring their folders with them; one without any has to be made.
			inside, err := fs.ReadDir(source, name)
			if err != nil || len(inside) > 0 {
				return err
			}
			return f.Mkdir(ctx, path.Join(remote, name))
		}
		info, err := fs.Stat(source, name)
		if err != nil || !info.Mode().IsRegular() {
			return err
		}
		return f.uploadFile(ctx, source, name, path.Join(remote, name), options)
	})
}

// UploadFrom sends what a reader gives to a file in the sandbox. A reader that can seek says itself how much that is, and is
// sent again after a failure; no other is.
func (f *Files) UploadFrom(ctx context.Context, source io.Reader, remote string, options *UploadOptions) error {
	chosen := UploadOptions{}
	if options != nil {
		chosen = *options
	}
	size := int64(-1)
	if chosen.Size > 0 {
		size = chosen.Size
	}
	seeker, canSeek := source.(io.Seeker)
	start := int64(0)
	if canSeek {
		var rest int64
		if start, rest, canSeek = measured(seeker); canSeek && size < 0 {
			size = rest
		}
	}
	read := &begunReader{Reader: source}
	content := func() (io.ReadCloser, int64, error) {
		if canSeek {
			if _, err := seeker.Seek(start, io.SeekStart); err != nil {
				return nil, 0, err
			}
		}
		return io.NopCloser(read), size, nil
	}
	return f.put(ctx, remote, content, chosen, func() bool { return !canSeek && read.begun.Load() })
}

// Download fetches a file; it appears here once all of it has arrived.
func (f *Files) Download(ctx context.Context, remote, local string, options *DownloadOptions) error {
	// Not os.CreateTemp, whose files nobody else can read: the file gets the permissions of any other that is made here.
	name := filepath.Join(filepath.Dir(local), "."+filepath.Base(local)+"."+randomName())
	draft, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return err
	}
	defer os.Remove(name)
	err = f.DownloadTo(ctx, remote, draft, options)
	if err := errors.Join(err, draft.Close()); err != nil {
		return err
	}
	return os.Rename(name, local)
}

// DownloadTo writes a file of the sandbox to a writer, as it arrives.
func (f *Files) DownloadTo(ctx context.Context, remote string, into io.Writer, options *DownloadOptions) error {
	wanted, err := f.download(remote)
	if err != nil {
		return err
	}
	var progress Progress
	if options != nil {
		progress = options.Progress
	}
	return f.scope.transport.copyTo(ctx, into, wanted, progress)
}

func (f *Files) uploadFile(ctx context.Context, source fs.FS, name, remote string, options *UploadOptions) error {
	info, err := fs.Stat(source, name)
	if err != nil {
		return err
	}
	chosen := UploadOptions{}
	if options != nil {
		chosen = *options
	}
	if chosen.Mode == 0 && info.Mode()&0o111 != 0 {
		chosen.Mode = 0o755
	}
	content := func() (io.ReadCloser, int64, error) {
		file, err := source.Open(name)
		return file, info.Size(), err
	}
	return f.put(ctx, remote, content, chosen, nil)
}

// put sends content to a file. spent says that it cannot be opened again.
func (f *Files) put(
	ctx context.Context, remote string, content func() (io.ReadCloser, int64, error), options UploadOptions, spent func() bool,
) error {
	own, err := pathOf("sandboxes", f.scope.sandbox, "fs", "content")
	if err != nil {
		return err
	}
	query := object{"path": remote}
	if options.Mode != 0 {
		query["mode"] = octal(options.Mode)
	}
	counted := func() (io.ReadCloser, int64, error) {
		body, size, err := content()
		if err != nil || options.Progress == nil {
			return body, size, err
		}
		return &countedBody{ReadCloser: body, total: size, progress: options.Progress}, size, nil
	}
	_, err = f.scope.transport.request(ctx, call{method: http.MethodPut, path: own, query: query, content: counted, spent: spent})
	return err
}

// copyTo writes an answer's body to a writer, as it arrives.
func (t *transport) copyTo(ctx context.Context, into io.Writer, wanted call, progress Progress) error {
	if wanted.accept == "" {
		wanted.accept = "*/*"
	}
	opened, err := t.open(ctx, wanted)
	if err != nil {
		return err
	}
	defer opened.Close()
	body := io.ReadCloser(opened)
	if progress != nil {
		body = &countedBody{ReadCloser: opened, total: opened.response.ContentLength, progress: progress}
	}
	_, err = io.Copy(into, body)
	return err
}

// countedBody tells how far a transfer is.
type countedBody struct {
	io.ReadCloser
	done, total int64
	progress    Progress
}

func (b *countedBody) Read(into []byte) (int, error) {
	count, err := b.ReadCloser.Read(into)
	b.done += int64(count)
	if count > 0 {
		b.progress(b.done, b.total)
	}
	return count, err
}

// measured says where a reader stands and how much follows; false when it cannot seek in spite of its type, as pipes do.
func measured(source io.Seeker) (start, rest int64, can bool) {
	start, err := source.Seek(0, io.SeekCurrent)
	if err != nil {
		return 0, 0, false
	}
	end, err := source.Seek(0, io.SeekEnd)
	if err != nil {
		return 0, 0, false
	}
	_, err = source.Seek(start, io.SeekStart)
	return start, end - start, err == nil
}

// begunReader knows whether anything was read from it.
type begunReader struct {
	io.Reader
	begun atomic.Bool
}

func (r *begunReader) Read(into []byte) (int, error) {
	r.begun.Store(true)
	return r.Reader.Read(into)
}

func said64(content []byte) string { return base64.StdEncoding.EncodeToString(content) }
