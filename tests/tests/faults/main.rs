//! A fault at any point of the extension leaves no tenant behind, loses no policy, and does not bring the server down.
//!
//! [`library`] preloads two libraries in C into a server: `hooks.c` raises at the n-th point on either side of every
//! hook that the extension uses, `malloc.c` lets the n-th allocation fail. [`sweep`] runs a program again and again
//! with the fault one point later, until it gets through.

mod library; // the server with the libraries
mod program; // what is run, and what must hold after it
mod sweep; // the fault, one point later each time

mod a_planner_loses_the_fence;
mod at_every_hook;
mod out_of_memory;
