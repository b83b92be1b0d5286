module github.com/openmiosa/openmiosa/sdks/go/ws

go 1.23

require (
	github.com/coder/websocket v1.8.15
	github.com/openmiosa/openmiosa/sdks/go v0.1.0
)

replace github.com/openmiosa/openmiosa/sdks/go => ../
