//! The mapping language: templates, conditions, patches and stream programs, from (template, input) to bytes.
