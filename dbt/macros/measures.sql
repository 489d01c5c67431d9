{#
    The additive measures of cases. Each is a whole number, so that sums do not depend on the order of rows and a full refresh
    gives the same table to the bit. A measure belongs to a basis: the day of which event it is counted on.

    opened and ended are flows: the open count at the end of a day is opened minus ended up to it, and the sum of the ages of
    open cases follows from the sums of their opening day numbers.
#}
{% macro measure_bases() %}
    {%- set valid = "is_acceptance_recorded and not is_cancelled and status_code <> 'not_accepted'" -%}
    {%- set bases = [
        ['reported_at', none, [
            ['reported_count', '1'],
            ['reported_filed_count', 'case when is_filing_recorded and is_filed then 1 else 0 end'],
            ['valid_report_count', 'case when ' ~ valid ~ ' then 1 else 0 end'],
            ['valid_public_count', 'case when ' ~ valid ~ ' and is_public_report then 1 else 0 end'],
            ['valid_collector_count', 'case when ' ~ valid ~ " and channel_code = 'collector' then 1 else 0 end"],
            ['valid_collector_or_public_count',
                'case when ' ~ valid ~ " and (is_public_report or channel_code = 'collector') then 1 else 0 end"]]
            + ground_measures()],
        ['filing_at', 'is_filing_recorded', [
            ['filed_count', '1'],
            ['filed_timed_count', 'case when reported_at <= filed_at then 1 else 0 end'],
            ['file_seconds',
                'case when reported_at <= filed_at then ' ~ seconds_between('reported_at', 'filed_at') ~ ' else 0 end'],
            ['repeat_known_count', "case when grid_id is not null and class_id <> 'unmapped' then 1 else 0 end"],
            ['repeat_count', 'case when is_repeat then 1 else 0 end']]],
        ['dispatched_at', none, [
            ['dispatched_count', '1'],
            ['return_count', 'coalesce(return_count, 0)'],
            ['return_known_count', 'case when return_count is not null then 1 else 0 end']]],
        ['handled_at', none, [
            ['handled_count', '1'],
            ['rework_count', 'coalesce(rework_count, 0)'],
            ['rework_known_count', 'case when rework_count is not null then 1 else 0 end'],
            ['handled_timed_count', 'case when handling_from <= handled_at then 1 else 0 end'],
            ['handle_seconds',
                'case when handling_from <= handled_at then ' ~ seconds_between('handling_from', 'handled_at') ~ ' else 0 end']]],
        ['closed_at', none, [['closed_count', '1']]],
        ['file_due_at', 'file_due_at <= as_of and not is_cancelled and is_filing_recorded', [
            ['file_due_count', '1'],
            ['file_on_time_count', 'case when filed_at <= file_due_at then 1 else 0 end']]],
        ['dispatch_due_at', 'dispatch_due_at <= as_of and not is_cancelled and is_dispatch_recorded', [
            ['dispatch_due_count', '1'],
            ['dispatch_on_time_count', 'case when dispatched_at <= dispatch_due_at then 1 else 0 end']]],
        ['handle_due_at', 'handle_due_at <= as_of and not is_cancelled and is_handling_recorded', [
            ['handle_due_count', '1'],
            ['handle_on_time_count', 'case when handled_at <= handle_due_at then 1 else 0 end'],
            ['handle_due_done_count', 'case when handled_at is not null then 1 else 0 end'],
            ['handle_late_done_count', 'case when handled_at > handle_due_at then 1 else 0 end'],
            ['handle_overdue_open_count', 'case when handled_at is null then 1 else 0 end']]],
        ['close_due_at', 'close_due_at <= as_of and not is_cancelled and is_closing_recorded', [
            ['close_due_count', '1'],
            ['close_on_time_count', 'case when closed_at <= close_due_at then 1 else 0 end'],
            ['close_due_done_count', 'case when closed_at is not null then 1 else 0 end'],
            ['close_late_done_count', 'case when closed_at > close_due_at then 1 else 0 end'],
            ['close_overdue_open_count', 'case when closed_at is null then 1 else 0 end'],
            ['supervised_due_count', 'case when is_supervised then 1 else 0 end'],
            ['supervised_on_time_count', 'case when is_supervised and closed_at <= close_due_at then 1 else 0 end'],
            ['urgent_due_count', "case when urgency_code = 'urgent' then 1 else 0 end"],
            ['urgent_on_time_count', "case when urgency_code = 'urgent' and closed_at <= close_due_at then 1 else 0 end"]]],
        ['opened_at', none, [
            ['opened_count', '1'],
            ['opened_day_sum', day_number(local_day('opened_at'))]]],
        ['ended_at', 'opened_at is not null', [
            ['ended_count', '1'],
            ['ended_day_sum', day_number(local_day('opened_at'))]]]
    ] -%}
    {{ return(bases) }}
{% endmacro %}

{# Reports of which it is recorded what an indicator rests on: its ground. Each is named <what>_recorded_count. #}
{% macro ground_measures() %}
    {%- set grounds = [] -%}
    {%- for record in [
        'acceptance', 'filing', 'handling', 'closing', 'filing_due', 'dispatch_due', 'handling_due', 'closing_due', 'rework', 'return'
    ] -%}
        {%- do grounds.append([record ~ '_recorded_count', 'case when is_' ~ record ~ '_recorded then 1 else 0 end']) -%}
    {%- endfor -%}
    {%- for name, condition in {
        'supervised_due': 'is_closing_due_recorded and is_supervision_recorded',
        'urgent_due': 'is_closing_due_recorded and is_urgency_recorded',
        'repeat': "is_filing_recorded and grid_id is not null and class_id <> 'unmapped'",
        'stock': is_stock_recorded()
    }.items() -%}
        {%- do grounds.append([name ~ '_recorded_count', 'case when ' ~ condition ~ ' then 1 else 0 end']) -%}
    {%- endfor -%}
    {{ return(grounds) }}
{% endmacro %}

{# Per basis the measures that are counted on its day, the others 0; `cases` has all columns the measures name. #}
{% macro counted_by_basis(cases, keys, changes) %}
    {%- for basis in measure_bases() %}
    select
        {{ local_day(basis[0]) }} as day,
        {{ keys | join(',\n        ') }},
        {%- for other in measure_bases() %}
        {%- set last = loop.last %}
        {%- for measure in other[2] %}
        {{ 'sum(' ~ measure[1] ~ ')' if other[0] == basis[0] else '0' }} as {{ measure[0] }}{{ ',' if not (last and loop.last) }}
        {%- endfor %}
        {%- endfor %}
    from {{ cases }}
    where
        {{ basis[0] }} is not null{{ ' and ' ~ basis[1] if basis[1] }}
        and {{ counted_now(local_day(basis[0]), changes) }}
    group by {{ local_day(basis[0]) }}, {{ keys | join(', ') }}
    {{ 'union all' if not loop.last }}
    {%- endfor %}
{% endmacro %}

{# Whether a day belongs to the batch, and to the touched days where only those are counted. #}
{% macro counted_now(day, changes) -%}
    {{ in_batch(day) }}{{ ' and ' ~ day ~ ' in (select day from touched)' if changes }}
{%- endmacro %}

{# Whether a case has an event of any basis on a day that is counted now. #}
{% macro has_event_now(case, changes) -%}
    (
        {%- for basis in measure_bases() %}
        {{ 'or ' if not loop.first }}({{ counted_now(local_day(case ~ '.' ~ basis[0]), changes) }})
        {%- endfor %}
    )
{%- endmacro %}

{% macro measure_sums(type) %}
    {%- for measure in measure_names() -%}
    cast(sum({{ measure }}) as {{ type }}) as {{ measure }}{{ ',' if not loop.last }}
    {% endfor %}
{%- endmacro %}

{# The names of all measures of the cube, in the order of its columns. #}
{% macro measure_names() %}
    {%- set names = [] -%}
    {%- for basis in measure_bases() -%}
        {%- for measure in basis[2] -%}
            {%- do names.append(measure[0]) -%}
        {%- endfor -%}
    {%- endfor -%}
    {{ return(names) }}
{% endmacro %}

{# When a case was filed: a source that keeps no such time but shows the case as filed has filed it at once. #}
{% macro filing_at() -%}
    case when is_filed then coalesce(filed_at, reported_at) end
{%- endmacro %}

{#
    When a filed case ended, over the columns of fct_case; NULL while it is open. An end before the filing is a typing error of one
    of the two; the case was open for no time then.
#}
{% macro ended_at() -%}
    case
        when is_cancelled then null
        when closed_at is not null then greatest(closed_at, {{ filing_at() }})
        when status_code in (select code from {{ ref('case_status') }} where is_terminal)
            then greatest(coalesce(checked_at, handled_at, {{ filing_at() }}), {{ filing_at() }})
    end
{%- endmacro %}

{# From when handling is timed. #}
{% macro handling_from() -%}
    coalesce(dispatched_at, filed_at, reported_at)
{%- endmacro %}

{# Measures that an indicator may name; the flows of the stock are no use by themselves. #}
{% macro flow_measures() %}
    {{ return(measure_names() | reject('in', stock_flows()) | list) }}
{% endmacro %}

{% macro stock_flows() %}
    {{ return(['opened_count', 'opened_day_sum', 'ended_count', 'ended_day_sum']) }}
{% endmacro %}

{# The flows of the stock, and what it rests on: of how many of all reports it is known whether they are open. #}
{% macro stock_sums() %}
    {{ return(stock_flows() + ['stock_recorded_count', 'reported_count']) }}
{% endmacro %}

{% macro due_columns() %}
    {{ return(['file_due_at', 'dispatch_due_at', 'handle_due_at', 'close_due_at']) }}
{% endmacro %}

{% macro event_columns() %}
    {{ return(['reported_at', 'filed_at', 'dispatched_at', 'handled_at', 'checked_at', 'closed_at']) }}
{% endmacro %}

{#
    The data's horizon: the moment the loaded data speak for, one row with column as_of. Never the wall clock, or the same
    data would give other figures tomorrow. An event more than a day later than any state in the data is a typing error and
    must not close the books of years to come.
#}
{% macro data_horizon() -%}
    select
        greatest(
            {%- for column in event_columns() %}
            max(case when cases.{{ column }} <= newest.state_at then cases.{{ column }} end){{ ',' if not loop.last }}
            {%- endfor %}
        ) as as_of
    from {{ ref('fct_case') }} as cases
    cross join (select max(updated_at) + interval 1 day as state_at from {{ ref('fct_case') }}) as newest
{%- endmacro %}

{# Columns of fct_case that a measure or its place can depend on; another change (a name, a coordinate) touches no day. #}
{% macro measured_columns() %}
    {{ return([
        'case_id', 'channel_code', 'class_id', 'urgency_code', 'status_code', 'dept_id', 'grid_id', 'community_id', 'street_id',
        'district_id', 'city_id', 'is_filed', 'is_public_report', 'is_supervised', 'is_cancelled', 'rework_count', 'return_count'
    ] + recorded_columns() + event_columns() + due_columns()) }}
{% endmacro %}

{# Log the days that changed cases had and have; a filing also touches the days it can make other cases repeats on. #}
{% macro log_case_days(fresh, batch) %}
    {%- set columns = measured_columns() | join(', ') -%}
    {%- set repeat = 'case_id, filed_at, reported_at, is_filed, is_filing_recorded, grid_id, class_id' %}
create or replace temporary table changed_case as
select distinct case_id from (
    (select {{ columns }} from was_row except select {{ columns }} from {{ fresh }})
    union all
    (select {{ columns }} from {{ fresh }} except select {{ columns }} from was_row)
) as differing;
create or replace temporary table changed_filing as
select distinct {{ local_day(filing_at()) }} as day from (
    (select {{ repeat }} from was_row except select {{ repeat }} from {{ fresh }})
    union all
    (select {{ repeat }} from {{ fresh }} except select {{ repeat }} from was_row)
) as differing
where {{ filing_at() }} is not null;
insert into {{ build_table('case_touched_day') }}
select distinct day, {{ batch }} from (
    {%- for rows in ['was_row', fresh] %}
    {%- for column in event_columns() + due_columns() %}
    select {{ local_day(column) }} as day from {{ rows }} where case_id in (select case_id from changed_case)
    union all
    {%- endfor %}
    {%- endfor %}
    select {{ add_days('changed_filing.day', 'after.days') }}
    from changed_filing
    cross join (values {% for n in range(1, var('repeat_days') + 1) %}({{ n }}){{ ', ' if not loop.last }}{% endfor %}) as after (days)
) as touched
where day is not null;
{% endmacro %}
