// Package config is the settings of a node: one table that names, for each setting, its flag, environment variable,
// key in the YAML file, default, meaning and cost. The command line, the file reader, `freshet config check` and
// docs/configuration.md are all made from that table.
//
// Invariants:
//
//  1. A setting is one row of the table; nothing else reads the environment or the file.
//  2. A flag wins over the environment, the environment over the file, the file over the default.
//  3. An unknown flag or file key is an error that names the nearest known one; an unknown FRESHET_ variable is a
//     warning, because other programs may own it.
//  4. What Load returns has passed every check; the rest of the program checks nothing again.
//  5. A refusal says everything that is wrong, in all places, at once: Problems.
//
// The package starts no goroutine. It leaves out reloading: a changed file takes effect at the next start.
package config
