-- The demo shop. Nobody has the number 5550199. Running this again moves the dates of the demo's own
-- orders to today and changes nothing else.

INSERT INTO customers (id, name, phone) VALUES
    (1, 'Maria Lopez',    '5550100'),
    (2, 'James Carter',   '5550101'),
    (3, 'Priya Patel',    '5550102'),
    (4, 'Oliver Brown',   '5550103'),
    (5, 'Hannah Schmidt', '5550104'),
    (6, 'Daniel Kim',     '5550105'),
    (7, 'Grace Murphy',   '5550106'),
    (8, 'Samuel Wright',  '5550123')
ON CONFLICT DO NOTHING;

UPDATE customers SET postcode = '9021' || id, born_on = (1960 + 3 * id) || '-05-0' || id
WHERE id <= 8 AND postcode IS NULL AND phone LIKE '55501%';

INSERT INTO orders (number, customer_id, item, status, placed_on, expected_on, carrier)
SELECT number, customer_id, item, status,
       date('now', 'localtime', placed), date('now', 'localtime', expected), carrier
FROM (
    SELECT '451288' AS number, 1 AS customer_id, 'headphones' AS item, 'shipped' AS status,
           '-3 days' AS placed, '+1 day' AS expected, 'Parcel Express' AS carrier
    UNION ALL SELECT '450913', 1, 'phone case',      'delivered',  '-40 days', '-36 days', 'Parcel Express'
    UNION ALL SELECT '203319', 2, 'running shoes',   'shipped',    '-5 days',  '+2 days',  'City Post'
    UNION ALL SELECT '318205', 3, 'coffee machine',  'processing', '-1 day',   '+6 days',  NULL
    UNION ALL SELECT '310077', 3, 'coffee grinder',  'delivered',  '-20 days', '-15 days', 'City Post'
    UNION ALL SELECT '710449', 4, 'desk lamp',       'delivered',  '-12 days', '-7 days',  'Parcel Express'
    UNION ALL SELECT '562740', 5, 'winter jacket',   'cancelled',  '-9 days',  NULL,       NULL
    UNION ALL SELECT '564418', 5, 'rain coat',       'shipped',    '-4 days',  '+1 day',   'City Post'
    UNION ALL SELECT '620155', 6, 'bicycle helmet',  'processing', '-2 days',  '+5 days',  NULL
    UNION ALL SELECT '681930', 7, 'garden chair',    'shipped',    '-6 days',  '+3 days',  'Parcel Express'
    UNION ALL SELECT '730264', 8, 'keyboard',        'shipped',    '-4 days',  '+1 day',   'Parcel Express'
    UNION ALL SELECT '731508', 8, 'monitor',         'processing', '-2 days',  '+7 days',  NULL
    UNION ALL SELECT '732996', 8, 'standing desk',   'processing', '-1 day',   '+14 days', NULL
    UNION ALL SELECT '729011', 8, 'web camera',      'delivered',  '-30 days', '-26 days', 'City Post'
) AS demo WHERE true
ON CONFLICT (number) DO UPDATE SET placed_on = excluded.placed_on, expected_on = excluded.expected_on;
