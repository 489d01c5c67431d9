{#
    What the sources record. `records` of a source file says it; the seed source_record brings it here. A measure counts only cases
    whose source records what it rests on, and an indicator that rests on what no source of the city records does not apply.
#}

{# What fct_case says of each case, as is_<record>_recorded: codes of the list `record` that concern a single case. #}
{% macro case_records() %}
    {{ return(event_records() + [
        'checking', 'filing_due', 'dispatch_due', 'handling_due', 'closing_due', 'urgency', 'supervision', 'rework', 'return'
    ]) }}
{% endmacro %}

{% macro recorded_columns() %}
    {%- set columns = [] -%}
    {%- for record in case_records() -%}
        {%- do columns.append('is_' ~ record ~ '_recorded') -%}
    {%- endfor -%}
    {{ return(columns) }}
{% endmacro %}

{# Those that decide whether a case is counted; limits and counts say by themselves, by being empty, that they are not known. #}
{% macro event_records() %}
    {{ return(['acceptance', 'filing', 'dispatch', 'handling', 'closing']) }}
{% endmacro %}

{# A stage of the closed loop and the record that tells of it; a report needs none. #}
{% macro stage_records() %}
    {{ return({'filed': 'filing', 'dispatched': 'dispatch', 'handled': 'handling', 'rechecked': 'checking', 'closed': 'closing'}) }}
{% endmacro %}

{# One row a source system of the city: from which day of reporting on it records each thing, NULL where it does not. #}
{% macro recorded_since(records) -%}
    select
        source_system,
        {%- for record in records %}
        min(case when record = '{{ record }}' then coalesce(since_date, date '0001-01-01') end) as {{ record }}_since{{ ',' if not loop.last }}
        {%- endfor %}
    from {{ ref('source_record') }}
    where city = '{{ env_var("GRIDLAKE_CITY", "demo") }}'
    group by source_system
{%- endmacro %}

{# Whether a case's source recorded a thing when the case was reported: over a row of recorded_since. #}
{% macro is_recorded(record, since, reported_at) -%}
    coalesce({{ since }}.{{ record }}_since <= coalesce({{ local_day(reported_at) }}, date '9999-12-31'), false)
{%- endmacro %}

{# Whether a text of words with semicolons between has a word. #}
{% macro has_word(words, word) -%}
    coalesce(';' || {{ words }} || ';' like '%;' || {{ word }} || ';%', false)
{%- endmacro %}

{# Whether a case can be in the stock: its source records filing and closing, or no case of it would ever be over. #}
{% macro is_stock_recorded() -%}
    is_filing_recorded and is_closing_recorded
{%- endmacro %}

{# When a case entered the stock. #}
{% macro opened_at() -%}
    case when {{ is_stock_recorded() }} and not is_cancelled then {{ filing_at() }} end
{%- endmacro %}

{# Names of a group in one text, in an order: 立案、结案; empty where there is none. #}
{% macro names_joined(name, separator, order) -%}
    {{ adapter.dispatch('names_joined', 'gridlake')(name, separator, order) }}
{%- endmacro %}

{% macro default__names_joined(name, separator, order) -%}
    nullif(
        array_join(
            transform(
                array_sort(collect_set(case when {{ name }} is not null then struct({{ order }} as place, {{ name }} as word) end)),
                x -> x.word
            ),
            '{{ separator }}'
        ),
        ''
    )
{%- endmacro %}

{% macro duckdb__names_joined(name, separator, order) -%}
    string_agg({{ name }}, '{{ separator }}' order by {{ order }})
{%- endmacro %}

{#
    How rows tell of each record, by kind of feed: [record, whether a row should show it, whether it does, whether it does so in a way
    that nobody fills in by rule]. The second is none where no row has to; the last is what makes an undeclared record known.
#}
{% macro told_records(kind) %}
    {{ return({
        'case': [
            ['public', none, none, 'is_public_report'],
            ['collector', none, none, "channel_code = 'collector'"],
            ['acceptance', none, none, "status_code = 'not_accepted'"],
            ['filing', 'stage_no >= 1', 'filed_at is not null or is_filed', 'filed_at is not null'],
            ['dispatch', 'stage_no >= 2', 'dispatched_at is not null', 'dispatched_at is not null'],
            ['handling', 'stage_no >= 3', 'handled_at is not null', 'handled_at is not null'],
            ['checking', 'stage_no >= 4', 'checked_at is not null', 'checked_at is not null'],
            ['closing', 'stage_no >= 5', 'closed_at is not null', 'closed_at is not null'],
            ['filing_due', 'true', 'file_due_at is not null', 'file_due_at is not null'],
            ['dispatch_due', 'stage_no >= 2', 'dispatch_due_at is not null', 'dispatch_due_at is not null'],
            ['handling_due', 'stage_no >= 3', 'handle_due_at is not null', 'handle_due_at is not null'],
            ['closing_due', 'stage_no >= 3', 'close_due_at is not null', 'close_due_at is not null'],
            ['urgency', 'true', 'urgency_code is not null', "urgency_code = 'urgent'"],
            ['supervision', 'true', 'is_supervised is not null', 'is_supervised'],
            ['rework', 'stage_no >= 3', 'rework_count is not null', 'rework_count is not null'],
            ['return', 'stage_no >= 2', 'return_count is not null', 'return_count is not null']],
        'permit': [
            ['permit_application', 'true', 'applied_at is not null', 'applied_at is not null'],
            ['permit_due', 'true', 'due_at is not null', 'due_at is not null'],
            ['permit_decision', 'is_judged and is_decided', 'decided_at is not null', 'decided_at is not null'],
            ['permit_validity', 'is_granting', 'valid_from is not null or valid_to is not null',
                'valid_from is not null or valid_to is not null']]
    }[kind]) }}
{% endmacro %}

{#
    The rows that told_records asks, as the CTEs landed_case (of the newest landing of each layer of each source) and landed_permit (of
    all landings: a source's registers of permits are no layers, and one may well lack what another tells).
#}
{% macro landed_rows() -%}
    newest_case as (
        select *, max(_load_seq) over (partition by source_system, layer) as newest_seq
        from {{ ref('int_case_version') }}
        where not _is_deleted
    ),

    landed_case as (
        select
            v.*,
            v.reported_at as told_at,
            coalesce(s.reached_stage_no, 0) as stage_no,
            s.is_filed
        from newest_case as v
        left join {{ ref('case_status') }} as s on v.status_code = s.code
        where v._load_seq = v.newest_seq
    ),

    landed_permit as (
        select
            v.*,
            v.applied_at as told_at,
            d.is_judged,
            d.is_granting,
            v.decision_code <> 'pending' as is_decided
        from {{ ref('int_permit_version') }} as v
        left join {{ ref('permit_decision') }} as d on v.decision_code = d.code
        where not v._is_deleted
    )
{%- endmacro %}
