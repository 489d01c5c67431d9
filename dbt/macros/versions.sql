{#
    latest(relation, keys, columns): the newest version of each key, one row per key; deleted keys are absent.

    Newest is the greatest version_at. Among equals the later delivery wins: what a source sends again with an unchanged time of
    change is a correction. Later is what the lake's own sequence says: the landing, the delivery's place in it, the row's place in
    the delivery; never the clock, and never a value. A delivery that a newer snapshot of the same register has taken the place of
    (_is_superseded) loses to those that still stand, so that an old snapshot which lands late changes nothing; among those that no
    longer stand the one of the newer snapshot (_superseded_order) wins.

    A key is deleted where a tombstone is not older than its last row. Where raw gives no tombstones for what a snapshot lacks
    (its key holds the snapshot's date), a row holds only until its delivery is superseded (_has_ended), and a key is deleted where
    all its rows are tombstones or have ended. Elsewhere a superseded row still holds: what the newest snapshot brought and was
    refused is not missing.

    with_deleted keeps deleted keys (their last state) and adds is_key_deleted; prefer is an order among equally new versions of one landing.
#}
{% macro latest(relation, keys, columns, with_deleted=false, prefer=none) %}
    {%- set key = keys | join(', ') %}
    select {{ columns | join(', ') }}{{ ', is_key_deleted' if with_deleted }}
    from (
        select
            *,
            row_number() over (
                partition by {{ key }}
                order by
                    _is_deleted, version_at desc nulls last, is_row_superseded, _superseded_order desc nulls last,
                    _load_seq desc nulls last{{ ', ' ~ prefer if prefer }},
                    _delivery_no desc nulls last, _source_row desc nulls last
            ) as version_rank
        from (
            select
                *,
                coalesce(_is_superseded, false) as is_row_superseded,
                coalesce(
                    max(case when _is_deleted then _load_seq end) over (partition by {{ key }})
                    >= coalesce(max(case when not _is_deleted then _load_seq end) over (partition by {{ key }}), -1), false
                )
                or min(case when _is_deleted or coalesce(_has_ended, false) then 1 else 0 end) over (partition by {{ key }}) = 1
                    as is_key_deleted
            from {{ relation }}
        ) as marked
    ) as ranked
    where version_rank = 1{{ ' and not is_key_deleted' if not with_deleted }}
{% endmacro %}

{# Whether a newer snapshot of the same register has taken the place of a delivery: an expression over its id. #}
{% macro is_superseded(delivery_id) -%}
    coalesce({{ delivery_id }} in (select l.delivery_id from {{ source('ops', 'load') }} as l where l.is_superseded), false)
{%- endmacro %}

{# The place among its register's snapshots of a delivery that a newer one has taken the place of; empty for those that stand. #}
{% macro superseded_order(delivery_id) -%}
    (
        select max(l.snapshot_order) from {{ source('ops', 'load') }} as l
        where l.delivery_id = {{ delivery_id }} and l.is_superseded
    )
{%- endmacro %}

{# Whether a row of a delivery held only until a newer snapshot took its place, because nothing marks what that one lacks. #}
{% macro has_ended(delivery_id) -%}
    coalesce(
        {{ delivery_id }} in (
            select l.delivery_id from {{ source('ops', 'load') }} as l where l.is_superseded and not coalesce(l.has_gap_marks, false)
        ),
        false
    )
{%- endmacro %}
