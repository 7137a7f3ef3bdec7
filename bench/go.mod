module github.com/snugvm/snug/bench

go 1.26.0

replace github.com/snugvm/snug => ../

require (
	github.com/clipperhouse/displaywidth v0.11.0
	github.com/clipperhouse/uax29/v2 v2.7.0
)
