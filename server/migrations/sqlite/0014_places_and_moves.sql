-- Imported tables. Regions override and extend those of the build; times are Unix milliseconds,
-- `to_at` the first moment at which a code no longer holds, `successor` what it was merged into.
CREATE TABLE region (
    code TEXT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    from_at BIGINT,
    to_at BIGINT,
    successor TEXT
);

-- Stations and hubs by the code of their township or county.
CREATE TABLE unit (
    code TEXT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    address TEXT NOT NULL,
    opened_at BIGINT
);

-- Where a village is, WGS-84, degrees × 10⁷.
CREATE TABLE village_point (
    code TEXT NOT NULL PRIMARY KEY,
    lat BIGINT NOT NULL,
    lng BIGINT NOT NULL
);

-- Agencies that run stations under contract.
CREATE TABLE agency (
    licence TEXT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    from_at BIGINT NOT NULL,
    to_at BIGINT
);
CREATE TABLE agency_station (
    licence TEXT NOT NULL,
    unit TEXT NOT NULL,
    PRIMARY KEY (licence, unit)
);

-- How often a table was imported: a running server reads it again when this grows.
CREATE TABLE imported (
    what TEXT NOT NULL PRIMARY KEY,
    edition BIGINT NOT NULL
);
