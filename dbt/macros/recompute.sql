{#
    Incremental strategy `recompute`: the model gives the whole truth about a scope (touched keys, days or periods), and this
    writes the difference to what stands there. Rows that no longer exist go, unchanged rows stay untouched, and what changed is
    logged for the next model in the same transaction. A delivery that repeats old rows therefore writes nothing downstream.

    config: unique_key (the columns compared rows are replaced by), upstream (the model whose log is consumed). It is done once for
    each batch; the batch's bounds are literals, so that only files with its months are read.
#}
{% macro get_incremental_recompute_sql(arg_dict) %}
    {%- set target_table = arg_dict['target_relation'] -%}
    {%- set fresh = arg_dict['temp_relation'] -%}
    {%- set columns = arg_dict['dest_columns'] | map(attribute='name') | join(', ') -%}
    {%- set keys = arg_dict['unique_key'] if arg_dict['unique_key'] is not string else [arg_dict['unique_key']] -%}
    {%- set key = keys | join(', ') -%}
    {%- set own = position(model.name) -%}
    {%- set written = (own['written_seq'] if own else 0) + 1 -%}
    {%- set of_batch = batch_condition(config.get('batch_by'), arg_dict['batch']) -%}
create or replace temporary table was_row as
select {{ columns }} from {{ target_table }}
where {{ of_batch }} and {{ '1 = 1' if recompute_all() else scope_of(model.name) }};
create or replace temporary table changed_key as
select distinct {{ key }} from (
    (select {{ columns }} from was_row except select {{ columns }} from {{ fresh }})
    union all
    (select {{ columns }} from {{ fresh }} except select {{ columns }} from was_row)
) as differing;
insert into changed_count select count(*) from changed_key;
{{ log_changes(model.name, fresh, key, written) }}
delete from {{ target_table }} where {{ of_batch }} and ({{ key }}) in (select {{ 'row(' ~ key ~ ')' if keys | length > 1 else key }} from changed_key);
insert into {{ target_table }} ({{ columns }})
select {{ columns }} from {{ fresh }} where ({{ key }}) in (select {{ 'row(' ~ key ~ ')' if keys | length > 1 else key }} from changed_key);
{% endmacro %}

{# How many keys the batches of the current model have changed. #}
{% macro no_changes_yet() -%}
create or replace temporary table changed_count (row_count bigint)
{%- endmacro %}

{# The rows of a model that its touched input can change: a condition over its columns. The model computes exactly these. #}
{% macro scope_of(model_name) %}
    {%- if model_name == 'fct_case_report' -%}
        report_id in (select report_id from {{ ref('int_case_version') }} where _load_seq > {{ processed_seq() }})
    {%- elif model_name == 'fct_case' -%}
        case_id in ({{ touched_keys('fct_case_report') }})
    {%- elif model_name == 'int_case_day' -%}
        day in ({{ touched_days() }})
    {%- elif model_name == 'indicator_value' -%}
        {{ touched_periods() }}
    {%- elif model_name == 'index_score' -%}
        period_kind || ':' || cast(period_start as {{ column_type('text') }}) in ({{ touched_keys('indicator_value') }})
    {%- endif -%}
{% endmacro %}

{#
    Batches: a model that would not fit into memory at once is computed in spans of whole months of its column `batch_by`, each
    about `batch_rows` rows of its input. The model says by in_batch(column) which of its rows belong to one (`lower` is compared with
    the beginning where more is to be looked at than is told); all batches together are what one statement would give. The first
    span has no beginning and the last no end.
#}
{% macro in_batch(column, lower=none) -%}
    /*from:{{ lower or column }}*/ 1 = 1 and {{ until_batch_ends(column) }}
{%- endmacro %}

{# Whether a row lies before the end of the batch, however long before: for what adds up from the first day on. #}
{% macro until_batch_ends(column) -%}
    /*until:{{ column }}*/ 1 = 1
{%- endmacro %}

{# A model's SQL for one batch. #}
{% macro within_batch(sql, batch) %}
    {%- set text = {'sql': sql} -%}
    {%- if batch['from'] -%}
        {%- do text.update(sql=modules.re.sub('/[*]from:([^*]+)[*]/ 1 = 1', "\\1 >= date '" ~ batch['from'] ~ "'", text['sql'])) -%}
    {%- endif -%}
    {%- if batch['until'] -%}
        {%- do text.update(sql=modules.re.sub('/[*]until:([^*]+)[*]/ 1 = 1', "\\1 < date '" ~ batch['until'] ~ "'", text['sql'])) -%}
    {%- endif -%}
    {{ return(text['sql']) }}
{% endmacro %}

{# Whether a row of the model itself belongs to a batch. #}
{% macro batch_condition(column, batch) -%}
    {%- set bounds = [] -%}
    {%- if batch['from'] -%}
        {%- do bounds.append(column ~ " >= date '" ~ batch['from'] ~ "'") -%}
    {%- endif -%}
    {%- if batch['until'] -%}
        {%- do bounds.append(column ~ " < date '" ~ batch['until'] ~ "'") -%}
    {%- endif -%}
    {{ bounds | join(' and ') or '1 = 1' }}
{%- endmacro %}

{#
    The batches of the current model, {from, until} (first days of months, none where there is no bound), each with about `batch_rows`
    rows of its input; one without bounds where a model has none. Of changes the first begins with the first touched month; none is
    given where nothing is touched.
#}
{% macro batches_of_months() %}
    {%- if not config.get('batch_by') -%}
        {{ return([{'from': none, 'until': none}]) }}
    {%- endif -%}
    {%- set first = first_touched_month(model.name) if only_changes() else none -%}
    {%- if only_changes() and not first -%}
        {{ return([]) }}
    {%- endif -%}
    {%- set months = run_query(
        'select cast(min(month) as ' ~ column_type('text') ~ ') from ('
        ~ 'select month, floor((sum(row_count) over (order by month) - row_count) / ' ~ var('batch_rows') ~ ') as batch_no from ('
        ~ rows_by_month(model.name, first) ~ ') as counted) as numbered group by batch_no order by 1'
    ).rows | map('first') | list -%}
    {%- set batches = [] -%}
    {%- for begin in [first] + months[1:] -%}
        {%- do batches.append({'from': begin, 'until': months[loop.index] if not loop.last}) -%}
    {%- endfor -%}
    {{ return(batches) }}
{% endmacro %}

{# The month of the first day or period that the current model is to compute again; none where there is none. #}
{% macro first_touched_month(model_name) %}
    {%- if model_name == 'int_case_day' -%}
        {%- set days = touched_days() -%}
    {%- elif model_name == 'indicator_value' -%}
        {%- set days = touched_cube_days() -%}
    {%- else -%}
        {%- set days = "select cast(split_part(touched, ':', 2) as date) as day from (" ~ touched_keys('indicator_value') ~ ') as t' -%}
    {%- endif -%}
    {{ return(run_query(
        'select cast(' ~ month_start('min(day)') ~ ' as ' ~ column_type('text') ~ ') from (' ~ days ~ ') as touched'
    ).rows[0][0]) }}
{% endmacro %}

{# How many rows of its input a model in batches has to look at, by month; of changes from the month `first` on. #}
{% macro rows_by_month(model_name, first) %}
    {%- if model_name == 'int_case_day' -%}
        {%- set input, day = ref('fct_case'), local_day('reported_at') -%}
        {%- set touched = month_start(day) ~ ' in (select ' ~ month_start('day') ~ ' from (' ~ touched_days() ~ ') as d)' -%}
    {%- elif model_name == 'indicator_value' -%}
        {%- set input, day = ref('int_case_day'), 'day' -%}
        {%- set touched = month_start(day) ~ ' in (select ' ~ month_start('day') ~ ' from (' ~ touched_cube_days() ~ ') as d)' -%}
    {%- else -%}
        {%- set input, day, touched = ref('indicator_value'), 'period_start', scope_of(model_name) -%}
    {%- endif -%}
    select {{ month_start(day) }} as month, count(*) as row_count from {{ input }}
    where {{ day }} is not null{{ ' and ' ~ day ~ " >= date '" ~ first ~ "' and " ~ touched if first }}
    group by {{ month_start(day) }}
{%- endmacro %}

{# What a model tells the next one: SQL that runs before its rows are replaced. #}
{% macro log_changes(model_name, fresh, key, batch) %}
    {%- if model_name == 'fct_case' -%}
        {{ log_case_days(fresh, batch) }}
    {%- elif model_name != 'index_score' -%}
        {%- set told = {
            'fct_case_report': 'case_id',
            'int_case_day': 'cast(day as ' ~ column_type('text') ~ ')',
            'indicator_value': "period_kind || ':' || cast(period_start as " ~ column_type('text') ~ ")"
        }[model_name] %}
insert into {{ build_table('touched_key') }}
select distinct '{{ model_name }}', {{ told }}, {{ batch }} from (
    select * from was_row
    union all by name
    select * from {{ fresh }}
) as either
where ({{ key }}) in (select {{ 'row(' ~ key ~ ')' if ',' in key else key }} from changed_key);
    {%- endif -%}
{% endmacro %}

{# Keys (text) that `upstream` changed and the current model has not processed. #}
{% macro touched_keys(upstream) -%}
    select touched from {{ build_table('touched_key') }} where model = '{{ upstream }}' and batch > {{ processed_seq() }}
{%- endmacro %}

{#
    Days to count again: those of changed cases, and the due days between the old and the new horizon, whose cases are now judged
    (or, after a correction, no longer).
#}
{% macro touched_days() -%}
    {%- set ends = horizon_moved('int_case_day') -%}
    select day from {{ build_table('case_touched_day') }} where batch > {{ processed_seq() }}
    {%- for due in due_columns() if ends %}
    union
    select {{ local_day(due) }} from {{ ref('fct_case') }}
    where {{ due }} > {{ ends[0] }} and {{ due }} <= {{ ends[1] }}
    {%- endfor %}
{%- endmacro %}

{# The old and the new horizon of a model, earlier one first, as literals; none where it has not moved. #}
{% macro horizon_moved(model_name) %}
    {%- if not execute -%}
        {{ return(none) }}
    {%- endif -%}
    {%- set rows = run_query(
        'select cast(least(was.horizon_at, now.as_of) as ' ~ column_type('text') ~ '), cast(greatest(was.horizon_at, now.as_of) as '
        ~ column_type('text') ~ ') from (select horizon_at from ' ~ build_table('build_position') ~ " where model = '" ~ model_name
        ~ "') as was cross join (" ~ data_horizon() ~ ') as now where was.horizon_at <> now.as_of'
    ).rows -%}
    {{ return(["timestamp '" ~ rows[0][0] ~ "'", "timestamp '" ~ rows[0][1] ~ "'"] if rows else none) }}
{% endmacro %}

{#
    Days whose cube rows changed since the current model ran. When the horizon moved, also the old and the new one and the days in
    between: they have a stock now (or none any more), what is counted on them is told now, and the old one's month has more days.
#}
{% macro touched_cube_days() -%}
    select cast(touched as date) as day from {{ build_table('touched_key') }}
    where model = 'int_case_day' and batch > {{ processed_seq() }}
    {%- set ends = horizon_moved('indicator_value') %}
    {%- for end in ends or [] %}
    union
    select {{ local_day(end) }} as day
    {%- endfor %}
    {%- if ends %}
    union
    select day from {{ ref('int_case_day') }} where day > {{ local_day(ends[0]) }} and day <= {{ local_day(ends[1]) }}
    {%- endif %}
{%- endmacro %}

{# Flow indicators change in the touched days and their months; a stock changes from the first touched day on. #}
{% macro touched_periods() -%}
    case
        when indicator_code in (select code from {{ ref('indicator_definition') }} where {{ is_stock() }})
            then (
                (period_kind = 'day' and period_start >= (select min(day) from ({{ touched_cube_days() }}) as d))
                or (
                    period_kind = 'month'
                    and period_start >= (select {{ month_start('min(day)') }} from ({{ touched_cube_days() }}) as d)
                )
            )
        else (
            (period_kind = 'day' and period_start in ({{ touched_cube_days() }}))
            or (
                period_kind = 'month'
                and period_start in (select {{ month_start('day') }} from ({{ touched_cube_days() }}) as d)
            )
        )
    end
{%- endmacro %}
