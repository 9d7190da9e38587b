// The laws of this repository as data, for the tests beside them and for tools that ask where something belongs.
