// Command onemap is the one map server and its tools.
package main

func main() {}
