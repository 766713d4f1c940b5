-- What the camera wrote into a photograph, sealed for whoever sent it; null when it wrote nothing.
ALTER TABLE photo ADD COLUMN camera BLOB;
