package openmiosa

import (
	"context"
	"net/http"
)

// Previews makes ports of a sandbox reachable on the server's own machine.
type Previews struct{ scope scope }

// Open makes a port reachable; asking again gives the same preview.
func (p *Previews) Open(ctx context.Context, port int) (*Preview, error) {
	body, err := p.scope.inside(ctx, http.MethodPost, nil, object{"port": port}, "previews")
	return recordOf[Preview](body, err)
}

// List gives the open ones, the oldest first.
func (p *Previews) List(ctx context.Context) ([]Preview, error) {
	body, err := p.scope.inside(ctx, http.MethodGet, nil, nil, "previews")
	return recordsOf[Preview](body, err)
}

// Get gives one of them.
func (p *Previews) Get(ctx context.Context, previewID string) (*Preview, error) {
	body, err := p.scope.inside(ctx, http.MethodGet, nil, nil, "previews", previewID)
	return recordOf[Preview](body, err)
}

// Close stops listening and ends the preview's connections.
func (p *Previews) Close(ctx context.Context, previewID string) error {
	_, err := p.scope.inside(ctx, http.MethodDelete, nil, nil, "previews", previewID)
	return err
}
