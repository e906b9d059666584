//! Runnable programs, one per idea: see the files beside this package's manifest.
