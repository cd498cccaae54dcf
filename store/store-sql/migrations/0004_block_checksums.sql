-- CRC-64/NVME of a block's bytes, as a signed number of the same bits.
ALTER TABLE blocks ADD COLUMN crc BIGINT NOT NULL DEFAULT 0;
