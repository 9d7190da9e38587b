// The laws of this repository as data, for the tests in this package and for tools that ask where code belongs.
