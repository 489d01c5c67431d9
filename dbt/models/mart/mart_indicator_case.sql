-- made from the rows of {{ ref('indicator_definition') }} and {{ ref('area_level') }}, up to the horizon in {{ ref('mart_state') }}
{{ indicator_cases(ref('mart_case'), ref('mart_case_open'), case_facts()) }}
