module github.com/openmiosa/openmiosa/sdks/go/systemtest

go 1.23

require (
	github.com/openmiosa/openmiosa/sdks/go v0.1.0
	github.com/openmiosa/openmiosa/sdks/go/ws v0.1.0
)

require github.com/coder/websocket v1.8.15 // indirect

replace (
	github.com/openmiosa/openmiosa/sdks/go => ../
	github.com/openmiosa/openmiosa/sdks/go/ws => ../ws
)
