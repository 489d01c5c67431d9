{# Time arithmetic under our own names: dbt.datediff counts boundaries on DuckDB and elapsed units on Spark. #}

{# Whole seconds from `earlier` to `later`, BIGINT: sums of whole numbers are the same in any order of rows. #}
{% macro seconds_between(earlier, later) -%}
    {{ adapter.dispatch('seconds_between', 'gridlake')(earlier, later) }}
{%- endmacro %}

{% macro default__seconds_between(earlier, later) -%}
    (unix_timestamp({{ later }}) - unix_timestamp({{ earlier }}))
{%- endmacro %}

{% macro duckdb__seconds_between(earlier, later) -%}
    cast(floor(epoch({{ later }}) - epoch({{ earlier }})) as bigint)
{%- endmacro %}

{% macro hours_between(earlier, later) -%}
    ({{ seconds_between(earlier, later) }} / 3600.0)
{%- endmacro %}

{# Seconds since 1970-01-01, BIGINT, of a moment that is kept in UTC: ages by the clock are told from it. #}
{% macro epoch_seconds(utc) -%}
    {{ seconds_between("cast('1970-01-01 00:00:00' as timestamp)", utc) }}
{%- endmacro %}

{# A moment that is kept in UTC (what the lake tells of itself), in the city's own time. #}
{% macro city_time(utc) -%}
    {{ adapter.dispatch('city_time', 'gridlake')(utc, env_var('GRIDLAKE_TIMEZONE', 'Asia/Shanghai')) }}
{%- endmacro %}

{% macro default__city_time(utc, zone) -%}
    from_utc_timestamp({{ utc }}, '{{ zone }}')
{%- endmacro %}

{% macro duckdb__city_time(utc, zone) -%}
    timezone('{{ zone }}', timezone('UTC', {{ utc }}))
{%- endmacro %}

{# The calendar day of a timestamp in the city's own time (staging turns every timestamp into it). #}
{% macro local_day(timestamp) -%}
    cast({{ timestamp }} as date)
{%- endmacro %}

{# Days since 1970-01-01, BIGINT: the age of open cases is derived from sums of it. #}
{% macro day_number(day) -%}
    {{ adapter.dispatch('day_number', 'gridlake')(day) }}
{%- endmacro %}

{% macro default__day_number(day) -%}
    cast(datediff({{ day }}, date '1970-01-01') as bigint)
{%- endmacro %}

{% macro duckdb__day_number(day) -%}
    cast({{ day }} - date '1970-01-01' as bigint)
{%- endmacro %}

{% macro add_days(day, days) -%}
    {{ adapter.dispatch('add_days', 'gridlake')(day, days) }}
{%- endmacro %}

{% macro default__add_days(day, days) -%}
    date_add({{ day }}, cast({{ days }} as int))
{%- endmacro %}

{% macro duckdb__add_days(day, days) -%}
    cast({{ day }} + cast({{ days }} as integer) as date)
{%- endmacro %}

{% macro month_start(day) -%}
    cast(date_trunc('month', {{ day }}) as date)
{%- endmacro %}

{# The first day of the month after. #}
{% macro next_month_start(day) -%}
    cast(date_trunc('month', {{ day }}) + interval 1 month as date)
{%- endmacro %}

{% macro months_before(month, months) -%}
    cast({{ month }} - interval '{{ months }}' month as date)
{%- endmacro %}

{# One row per day, column `day`, from the first to the last (expressions over the relation `bounds`). #}
{% macro day_spine(first, last, bounds) -%}
    {{ adapter.dispatch('day_spine', 'gridlake')(first, last, bounds) }}
{%- endmacro %}

{% macro default__day_spine(first, last, bounds) -%}
    select explode(sequence({{ first }}, {{ last }}, interval 1 day)) as day from {{ bounds }} where {{ first }} <= {{ last }}
{%- endmacro %}

{% macro duckdb__day_spine(first, last, bounds) -%}
    select cast(unnest(generate_series({{ first }}, {{ last }}, interval 1 day)) as date) as day
    from {{ bounds }} where {{ first }} <= {{ last }}
{%- endmacro %}

{# Monday = 1 … Sunday = 7. #}
{% macro iso_weekday(day) -%}
    {{ adapter.dispatch('iso_weekday', 'gridlake')(day) }}
{%- endmacro %}

{% macro default__iso_weekday(day) -%}
    (weekday({{ day }}) + 1)
{%- endmacro %}

{% macro duckdb__iso_weekday(day) -%}
    cast(isodow({{ day }}) as integer)
{%- endmacro %}

{% macro iso_year(day) -%}
    {{ adapter.dispatch('iso_year', 'gridlake')(day) }}
{%- endmacro %}

{% macro default__iso_year(day) -%}
    extract(yearofweek from {{ day }})
{%- endmacro %}

{% macro duckdb__iso_year(day) -%}
    cast(isoyear({{ day }}) as integer)
{%- endmacro %}

{# The month of a timestamp or a day as text, '2026-04'; NULL stays NULL. #}
{% macro month_text(moment) -%}
    {{ adapter.dispatch('month_text', 'gridlake')(moment) }}
{%- endmacro %}

{% macro default__month_text(moment) -%}
    date_format({{ moment }}, 'yyyy-MM')
{%- endmacro %}

{% macro duckdb__month_text(moment) -%}
    strftime({{ moment }}, '%Y-%m')
{%- endmacro %}
