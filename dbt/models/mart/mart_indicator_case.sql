-- made from the rows of {{ ref('indicator_definition') }} and {{ ref('area_level') }}, {{ ref('indicator_not_recorded') }}, up to the horizon in {{ ref('mart_state') }}
{{ indicator_cases(ref('mart_case'), ref('mart_case_open'), case_facts()) }}
