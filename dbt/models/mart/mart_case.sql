{{ labelled_cases(ref('fct_case')) }}
